// Writes a scheduled program into the engine's memory.

import type { Heap } from "../engine/heap.ts";
import { mapName, type Place, type Program, type RowMapping } from "./program.ts";
import type { Schedule } from "./schedule.ts";

/** int32 words of an instruction: op, what it waits for, arguments' address. */
const INSTRUCTION_WORDS = 3;
const MAP_WORDS = 4;

/** Words that a linked program takes. */
export function linkedWords({ instructions }: Program): number {
  return instructions.reduce(
    (words, { args }) => words + INSTRUCTION_WORDS + args.length + MAP_WORDS * args.length,
    0,
  );
}

export function addressOf(place: Place, schedule: Schedule, workspace: number): number {
  const { buffer, offset } = place;
  if (buffer.kind !== "workspace") return buffer.address + offset;
  return workspace + (schedule.offsets.get(buffer.id) ?? 0) + offset;
}

/** Writes the program at `address`: instructions first, then arguments and row maps. */
export function link(
  program: Program,
  schedule: Schedule,
  heap: Heap,
  address: number,
  workspace: number,
): void {
  const { instructions } = schedule;
  const words = heap.integers(address, linkedWords(program));
  const maps = new Map<string, number>();
  let next = instructions.length * INSTRUCTION_WORDS;
  const resolve = (place: Place) => addressOf(place, schedule, workspace);
  const mapAddress = (map: RowMapping): number => {
    const name = mapName(map);
    const known = maps.get(name);
    if (known !== undefined) return known;
    const made = address + 4 * next;
    words.set([resolve(map.start), map.base, map.modulo, map.offset], next);
    next += MAP_WORDS;
    maps.set(name, made);
    return made;
  };
  instructions.forEach(({ op, args }, i) => {
    const values = args.map((argument) => {
      if (typeof argument === "number") return argument;
      if ("place" in argument) return resolve(argument.place);
      if ("shareOf" in argument) return argument.shareOf.bytes / program.threads;
      return argument.map === undefined ? 0 : mapAddress(argument.map);
    });
    const wait = schedule.waits[i] as number;
    words.set([op, wait, address + 4 * next], i * INSTRUCTION_WORDS);
    words.set(values, next);
    next += values.length;
  });
}
