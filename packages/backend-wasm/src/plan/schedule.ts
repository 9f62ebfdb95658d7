// Where buffers lie and where threads must wait: liveness, offsets in the workspace, barriers.

import { arrange, type Stretch } from "./arrange.ts";
import { type Located, locateAll, mustWait, someOf } from "./conflicts.ts";
import type { Buffer, Instruction, Program } from "./program.ts";

const ALIGNMENT = 64;
/** Kernels may read a vector past the end. */
const SLACK = 32;
/** Buffers up to this size are many and together small: these are placed quickly, the others closely. */
const SMALL_BYTES = 32 * 1024;
/**
 * Buffers below this size keep their memory to the end of the stretch: others that took it over would make threads
 * wait for nothing.
 */
const STRETCH_BYTES = 2 * 1024 * 1024;

export interface Schedule {
  /** The program's instructions, in the order in which they run. */
  readonly instructions: readonly Instruction[];
  /** Offset in the workspace of each workspace buffer, by id. */
  readonly offsets: ReadonlyMap<number, number>;
  readonly workspaceBytes: number;
  /** For each instruction, whether all threads must have finished the earlier ones. */
  readonly barriers: readonly boolean[];
}

export function schedule(program: Program): Schedule {
  const stretches = arrange(program.instructions);
  const instructions = stretches.flat();
  const { offsets, workspaceBytes } = placeBuffers(program.buffers, stretches);
  return { instructions, offsets, workspaceBytes, barriers: placeBarriers(instructions, offsets) };
}

interface Interval {
  readonly buffer: Buffer;
  first: number;
  last: number;
}

/** When each workspace buffer is first and last needed, as positions of instructions. */
function intervalsOf(buffers: readonly Buffer[], stretches: readonly Stretch[]): Interval[] {
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
  let begin = 0;
  for (const stretch of stretches) {
    const end = begin + stretch.length - 1;
    stretch.forEach(({ accesses }, i) => {
      for (const { place } of accesses) {
        const whole = place.buffer.bytes < STRETCH_BYTES;
        touch(place.buffer, whole ? begin : begin + i, whole ? end : begin + i);
      }
    });
    begin = end + 1;
  }
  for (const buffer of buffers) {
    if (buffer.fed) touch(buffer, -1, -1);
    if (buffer.fetched) touch(buffer, begin, begin);
  }
  return [...intervals.values()];
}

const alignedBytes = ({ bytes }: Buffer): number =>
  Math.ceil((bytes + SLACK) / ALIGNMENT) * ALIGNMENT;

/** Places the few large buffers closely, then the many small ones quickly. */
function placeBuffers(buffers: readonly Buffer[], stretches: readonly Stretch[]) {
  const intervals = intervalsOf(buffers, stretches);
  const isLarge = ({ buffer }: Interval) => buffer.bytes > SMALL_BYTES;
  const offsets = new Map<number, number>();
  const large = placeLarge(intervals.filter(isLarge), offsets);
  const small = intervals.filter((interval) => !isLarge(interval));
  return { offsets, workspaceBytes: placeSmall(small, offsets, large) };
}

/** Largest first, each at the lowest offset that no buffer alive at the same time occupies. Returns the end. */
function placeLarge(intervals: readonly Interval[], offsets: Map<number, number>): number {
  const ordered = [...intervals].sort(
    (a, b) => b.buffer.bytes - a.buffer.bytes || a.buffer.id - b.buffer.id,
  );
  const placed: (Interval & { offset: number; end: number })[] = [];
  let top = 0;
  for (const interval of ordered) {
    const bytes = alignedBytes(interval.buffer);
    let offset = 0;
    for (const other of placed) {
      if (other.first > interval.last || other.last < interval.first) continue;
      if (other.offset >= offset + bytes) break;
      offset = Math.max(offset, other.end);
    }
    const position = placed.findIndex((other) => other.offset > offset);
    const entry = { ...interval, offset, end: offset + bytes };
    placed.splice(position < 0 ? placed.length : position, 0, entry);
    offsets.set(interval.buffer.id, offset);
    top = Math.max(top, entry.end);
  }
  return top;
}

/** In the order of time, each into freed memory of its size class or at the end. Returns the end. */
function placeSmall(
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

/** A barrier stands wherever an instruction touches what another thread may still read or write. */
function placeBarriers(
  instructions: readonly Instruction[],
  offsets: ReadonlyMap<number, number>,
): boolean[] {
  let pending: Located[] = [];
  return instructions.map((instruction) => {
    const own = locateAll(instruction, ({ id }) => ({
      space: "workspace",
      offset: offsets.get(id) as number,
    }));
    const wait = someOf(mustWait, pending, own);
    if (wait) pending = [];
    pending.push(...own);
    return wait;
  });
}
