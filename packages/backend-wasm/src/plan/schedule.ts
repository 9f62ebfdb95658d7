// Where buffers lie and where threads must wait: liveness, offsets in the workspace, barriers.

import type { Access, Buffer, Instruction, Program } from "./program.ts";

const ALIGNMENT = 64;
/** Kernels may read a vector past the end. */
const SLACK = 32;

export interface Schedule {
  /** Offset in the workspace of each workspace buffer, by id. */
  readonly offsets: ReadonlyMap<number, number>;
  readonly workspaceBytes: number;
  /** For each instruction, whether all threads must have finished the earlier ones. */
  readonly barriers: readonly boolean[];
}

export function schedule(program: Program): Schedule {
  const { offsets, workspaceBytes } = placeBuffers(program);
  return { offsets, workspaceBytes, barriers: placeBarriers(program.instructions, offsets) };
}

interface Interval {
  readonly buffer: Buffer;
  first: number;
  last: number;
}

/** Largest first, each at the lowest offset that no buffer alive at the same time occupies. */
function placeBuffers({ instructions, buffers }: Program) {
  const intervals = new Map<Buffer, Interval>();
  const touch = (buffer: Buffer, time: number) => {
    const interval = intervals.get(buffer);
    if (interval === undefined) intervals.set(buffer, { buffer, first: time, last: time });
    else {
      interval.first = Math.min(interval.first, time);
      interval.last = Math.max(interval.last, time);
    }
  };
  for (const buffer of buffers) {
    if (buffer.fed) touch(buffer, -1);
    if (buffer.fetched) touch(buffer, instructions.length);
  }
  instructions.forEach(({ accesses }, time) => {
    for (const { place } of accesses) touch(place.buffer, time);
  });
  const live = [...intervals.values()].filter(({ buffer }) => buffer.kind === "workspace");
  live.sort((a, b) => b.buffer.bytes - a.buffer.bytes || a.buffer.id - b.buffer.id);
  const placed: (Interval & { offset: number; end: number })[] = [];
  let workspaceBytes = 0;
  for (const interval of live) {
    const bytes = Math.ceil((interval.buffer.bytes + SLACK) / ALIGNMENT) * ALIGNMENT;
    let offset = 0;
    for (const other of placed) {
      if (other.first > interval.last || other.last < interval.first) continue;
      if (other.offset >= offset + bytes) break;
      offset = Math.max(offset, other.end);
    }
    const position = placed.findIndex((other) => other.offset > offset);
    const entry = { ...interval, offset, end: offset + bytes };
    placed.splice(position < 0 ? placed.length : position, 0, entry);
    workspaceBytes = Math.max(workspaceBytes, offset + bytes);
  }
  const offsets = new Map(placed.map(({ buffer, offset }) => [buffer.id, offset]));
  return { offsets, workspaceBytes };
}

interface Pending {
  readonly space: string;
  readonly begin: number;
  readonly end: number;
  readonly key: string;
  readonly write: boolean;
}

/** A barrier stands wherever an instruction touches what another thread may still read or write. */
function placeBarriers(
  instructions: readonly Instruction[],
  offsets: ReadonlyMap<number, number>,
): boolean[] {
  let pending: Pending[] = [];
  return instructions.map(({ accesses }) => {
    const own = accesses.map((access) => locate(access, offsets));
    const wait = own.some((access) => pending.some((earlier) => conflict(earlier, access)));
    if (wait) pending = [];
    pending.push(...own);
    return wait;
  });
}

function locate(access: Access, offsets: ReadonlyMap<number, number>): Pending {
  const { place, bytes, key, write } = access;
  const { buffer } = place;
  const fixed = buffer.kind !== "workspace";
  const begin = place.offset + (fixed ? buffer.address : (offsets.get(buffer.id) as number));
  return { space: fixed ? "fixed" : "workspace", begin, end: begin + bytes, key, write };
}

function conflict(a: Pending, b: Pending): boolean {
  if (!a.write && !b.write) return false;
  if (a.space !== b.space || a.end <= b.begin || b.end <= a.begin) return false;
  if (a.key === "single" && b.key === "single") return false;
  return a.key === "" || a.key !== b.key || a.begin !== b.begin || a.end !== b.end;
}
