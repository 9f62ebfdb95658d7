// Where buffers lie and what threads wait for: liveness, offsets in the workspace.

import { arrange, workOf } from "./arrange.ts";
import { type Located, locateAll, mustWait } from "./conflicts.ts";
import { createOccupancy } from "./occupancy.ts";
import type { Buffer, Instruction, Program } from "./program.ts";

const ALIGNMENT = 64;
/** Kernels may read a vector past the end. */
const SLACK = 32;
/** Buffers up to this size are many and together small: these are placed quickly, the others closely. */
const SMALL_BYTES = 32 * 1024;
/**
 * Buffers below this size, and below this share of the largest one, lie apart from the larger ones and keep their
 * memory for a while: others that took it over at once would make threads wait for nothing.
 */
const KEPT_BYTES = 2 * 1024 * 1024;
const KEPT_SHARE = 1 / 16;
/** For how long, in the unit of `workOf`: the work of a few convolutions. */
const KEPT_WORK = 2 ** 26;

export interface Schedule {
  /** The program's instructions, in the order in which they run. */
  readonly instructions: readonly Instruction[];
  /** Offset in the workspace of each workspace buffer, by id. */
  readonly offsets: ReadonlyMap<number, number>;
  readonly workspaceBytes: number;
  /** For each instruction, how many of the first all threads must have done before. */
  readonly waits: readonly number[];
}

export function schedule(program: Program): Schedule {
  const { threads, buffers, lasting } = program;
  const instructions = [
    ...program.instructions.slice(0, lasting),
    ...arrange(program.instructions.slice(lasting), threads),
  ];
  const { offsets, workspaceBytes } = placeBuffers(buffers, instructions, threads);
  const waits = threads === 1 ? instructions.map(() => 0) : waitsOf(instructions, offsets);
  return { instructions, offsets, workspaceBytes, waits };
}

interface Interval {
  readonly buffer: Buffer;
  first: number;
  last: number;
}

/** When each workspace buffer is first and last needed, as positions of instructions. */
function intervalsOf(
  buffers: readonly Buffer[],
  instructions: readonly Instruction[],
  threads: number,
  keptBytes: number,
): Interval[] {
  const intervals = new Map<Buffer, Interval>();
  const touch = (buffer: Buffer, from: number, to: number) => {
    if (buffer.kind !== "workspace") return;
    const interval = intervals.get(buffer);
    if (interval === undefined) intervals.set(buffer, { buffer, first: from, last: to });
    else {
      interval.first = Math.min(interval.first, from);
      interval.last = Math.max(interval.last, to);
    }
  };
  const kept = keptUntil(instructions, threads);
  instructions.forEach(({ accesses }, i) => {
    for (const { place } of accesses) {
      touch(place.buffer, i, place.buffer.bytes < keptBytes ? (kept[i] as number) : i);
    }
  });
  const end = instructions.length;
  for (const buffer of buffers) {
    if (buffer.fed) touch(buffer, -1, -1);
    if (buffer.fetched) touch(buffer, end, end);
  }
  return [...intervals.values()];
}

/** For each instruction, the last one during which its small buffers keep their memory. */
function keptUntil(instructions: readonly Instruction[], threads: number): number[] {
  if (threads === 1) return instructions.map((_, i) => i);
  const works = instructions.map(workOf);
  let last = 0;
  let work = 0; // of the instructions after i, up to the last
  return instructions.map((_, i) => {
    if (i > 0) work -= works[i] as number;
    if (last < i) [last, work] = [i, 0];
    while (work < KEPT_WORK && last + 1 < works.length) work += works[++last] as number;
    return last;
  });
}

const alignedBytes = ({ bytes }: Buffer): number =>
  Math.ceil((bytes + SLACK) / ALIGNMENT) * ALIGNMENT;

/** Places the few large buffers closely, those of medium size behind them likewise, then the many small ones quickly. */
function placeBuffers(
  buffers: readonly Buffer[],
  instructions: readonly Instruction[],
  threads: number,
) {
  const largest = buffers.reduce(
    (most, { kind, bytes }) => (kind === "workspace" ? Math.max(most, bytes) : most),
    0,
  );
  const keptBytes = Math.min(KEPT_BYTES, KEPT_SHARE * largest);
  const intervals = intervalsOf(buffers, instructions, threads, keptBytes);
  const between = (least: number, below: number) =>
    intervals.filter(({ buffer }) => buffer.bytes >= least && buffer.bytes < below);
  const offsets = new Map<number, number>();
  const large = placeClosely(between(keptBytes, Number.POSITIVE_INFINITY), offsets, 0);
  const medium = placeClosely(between(SMALL_BYTES + 1, keptBytes), offsets, large);
  return {
    offsets,
    workspaceBytes: placeQuickly(between(0, Math.min(SMALL_BYTES + 1, keptBytes)), offsets, medium),
  };
}

/**
 * Largest first, each at the lowest offset from `start` that no buffer alive at the same time occupies. Returns the
 * end.
 */
function placeClosely(
  intervals: readonly Interval[],
  offsets: Map<number, number>,
  start: number,
): number {
  const ordered = [...intervals].sort(
    (a, b) => b.buffer.bytes - a.buffer.bytes || a.buffer.id - b.buffer.id,
  );
  const times = ordered.reduce((most, { last }) => Math.max(most, last), 0) + 2;
  const occupancy = createOccupancy(times);
  let top = start;
  for (const { buffer, first, last } of ordered) {
    const bytes = alignedBytes(buffer);
    // Feeds are there before the first instruction, at time −1.
    const offset = occupancy.lowestFree(bytes, first + 1, last + 1, start);
    occupancy.take(offset, offset + bytes, first + 1, last + 1);
    offsets.set(buffer.id, offset);
    top = Math.max(top, offset + bytes);
  }
  return top;
}

/** In the order of time, each into freed memory of its size class or at the end. Returns the end. */
function placeQuickly(
  intervals: readonly Interval[],
  offsets: Map<number, number>,
  start: number,
): number {
  const births = [...intervals].sort((a, b) => a.first - b.first || a.buffer.id - b.buffer.id);
  const deaths = [...intervals].sort((a, b) => a.last - b.last || a.buffer.id - b.buffer.id);
  const free = new Map<number, number[]>();
  const classOf = ({ buffer }: Interval) => 2 ** Math.ceil(Math.log2(alignedBytes(buffer)));
  let top = start;
  let ended = 0;
  for (const interval of births) {
    for (let dead = deaths[ended]; dead !== undefined && dead.last < interval.first; ) {
      const bytes = classOf(dead);
      const offset = offsets.get(dead.buffer.id) as number;
      const list = free.get(bytes);
      if (list === undefined) free.set(bytes, [offset]);
      else list.push(offset);
      dead = deaths[++ended];
    }
    const bytes = classOf(interval);
    const reused = free.get(bytes)?.pop();
    offsets.set(interval.buffer.id, reused ?? top);
    if (reused === undefined) top += bytes;
  }
  return top;
}

/** Threads wait for the last instruction that touches what others may still read or write. */
function waitsOf(
  instructions: readonly Instruction[],
  offsets: ReadonlyMap<number, number>,
): number[] {
  const placement = ({ id }: Buffer) => ({
    space: "workspace",
    offset: offsets.get(id) as number,
  });
  let pending = new Map<string, { readonly i: number; readonly access: Located }>();
  let waited = 0;
  return instructions.map((instruction, i) => {
    const own = locateAll(instruction, placement);
    // The last one: what is waited for includes all that came before it.
    let last = -1;
    for (const { i: earlier, access } of pending.values()) {
      if (earlier > last && own.some((later) => mustWait(access, later))) last = earlier;
    }
    if (last >= 0) {
      waited = last + 1;
      pending = new Map([...pending].filter(([, { i: done }]) => done >= waited));
    }
    for (const [k, access] of own.entries()) {
      pending.set(kindOf(access, `${i}.${k}`), { i, access });
    }
    return last < 0 ? 0 : waited;
  });
}

/** Who must wait for an access must wait for the next one of its kind as well; rows are each of a kind of their own. */
function kindOf({ space, begin, end, key, write, rows }: Located, alone: string): string {
  return rows === undefined ? `${space} ${begin} ${end} ${write} ${key}` : alone;
}
