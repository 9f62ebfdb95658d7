// When two instructions touch the same memory: whether their order matters, and whether threads must wait between.

import { type Access, type Buffer, type Instruction, mapName } from "./program.ts";

/** An access with its place in a space of addresses. */
export interface Located {
  readonly space: string | number;
  readonly begin: number;
  readonly end: number;
  readonly key: string;
  readonly write: boolean;
  readonly rows: Access["rows"];
}

/** Where workspace buffers lie: in one space at `offset`, or each in a space of its own. */
export type Placement = (buffer: Buffer) => {
  readonly space: string | number;
  readonly offset: number;
};

export function locateAll({ accesses, turn }: Instruction, placement: Placement): Located[] {
  return accesses.map(({ place: { buffer, offset }, bytes, key: own, write, rows }: Access) => {
    // Rows are a thread's own only among instructions that take them in the same order.
    const key = turn !== undefined && own.startsWith("rows:") ? `${own} by ${mapName(turn)}` : own;
    const fixed = buffer.kind !== "workspace";
    const at = fixed ? { space: "fixed", offset: buffer.address } : placement(buffer);
    const begin = at.offset + offset;
    return { space: at.space, begin, end: begin + bytes, key, write, rows };
  });
}

/** Whether the order of the two matters. */
export function touch(a: Located, b: Located): boolean {
  if (!a.write && !b.write) return false;
  if (a.space !== b.space || a.end <= b.begin || b.end <= a.begin) return false;
  return a.begin !== b.begin || a.end !== b.end || !areApart(a.rows, b.rows);
}

/** Whether two ranges of rows of one tensor have no row in common, wherever they start. */
export function areApart(a: Access["rows"], b: Access["rows"]): boolean {
  if (a === undefined || b === undefined) return false;
  const [{ map: p }, { map: q }] = [a, b];
  if (p.base + p.modulo <= q.base || q.base + q.modulo <= p.base) return true;
  const sameRing =
    p.start.buffer === q.start.buffer &&
    p.start.offset === q.start.offset &&
    p.base === q.base &&
    p.modulo === q.modulo;
  // From a's first row on, cyclically, b begins so many rows later.
  const later = (q.offset - p.offset + p.modulo) % p.modulo;
  return sameRing && later >= a.count && p.modulo - later >= b.count;
}

/** Whether all threads must have finished `earlier` before one begins `later`. */
export function mustWait(earlier: Located, later: Located): boolean {
  if (!touch(earlier, later)) return false;
  const { key } = earlier;
  // What each thread has written whole, each finds as it wrote it.
  if (key === "each" && earlier.write && !later.write) return false;
  if (key === "single" && later.key === "single") return false;
  if (key === "" || key === "each" || key !== later.key) return true;
  return earlier.begin !== later.begin || earlier.end !== later.end;
}
