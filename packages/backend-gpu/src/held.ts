// Which operations' results lie in arrays; all others are computed inside of the kernels that read them.

import { sizeOf } from "@fewnorm/tensor";
import type { Access, Lowered } from "./lowered.ts";

/** Whether its elements are not computed. */
export const isGiven = (kind: Lowered["kind"]): boolean => kind === "argument" || kind === "number";

const ranks: Readonly<Record<Access, number>> = { once: 0, spread: 1, often: 2 };

/** Vectors of no more elements and operations than this are computed wherever they are read: it saves kernels. */
const SMALL = { elements: 2048, operations: 5 };

/**
 * The operations whose results lie in arrays. An operation is computed inside of what reads it if only one kernel does,
 * and each element about once. Views are always computed where they are read.
 */
export function heldOf(
  order: readonly Lowered[],
  roots: ReadonlySet<Lowered>,
  forced: ReadonlySet<Lowered>,
): Set<Lowered> {
  const held = new Set<Lowered>();
  const uses = new Map<Lowered, { count: number; rank: number }>();
  const small = smallOf(order, roots);
  for (const of of order.toReversed()) {
    const own = uses.get(of) ?? { count: 0, rank: 0 };
    const shared = own.count > 1 && !small.has(of) && of.moves !== true;
    const tooMuch = shared || own.rank > (of.kind === "loop" ? 0 : 1);
    const isHeld =
      isGiven(of.kind) || roots.has(of) || forced.has(of) || (of.kind !== "view" && tooMuch);
    if (isHeld) held.add(of);
    for (const { of: operand, access } of of.operands) {
      const use = uses.get(operand) ?? { count: 0, rank: 0 };
      use.count += isHeld ? 1 : own.count;
      use.rank = Math.max(use.rank, ranks[access], isHeld ? 0 : own.rank);
      uses.set(operand, use);
    }
  }
  return held;
}

function smallOf(order: readonly Lowered[], roots: ReadonlySet<Lowered>): Set<Lowered> {
  const small = new Set<Lowered>();
  const operations = new Map<Lowered, number>();
  for (const of of order) {
    const inside = of.operands.filter(({ of: operand }) => !roots.has(operand));
    const own = inside.reduce(
      (sum, { of: operand }) => sum + (operations.get(operand) ?? 0),
      of.kind === "pointwise" ? 1 : 0,
    );
    const isSmall =
      of.kind === "pointwise" && sizeOf(of.shape) <= SMALL.elements && own <= SMALL.operations;
    if (isSmall) small.add(of);
    operations.set(of, of.kind === "view" || isSmall ? own : 0);
  }
  return small;
}

/** The operations inside of a kernel that are to be held so that it reads fewer arrays, none of them in vain. */
export function reliefsOf(
  result: Lowered,
  heldNow: ReadonlySet<Lowered>,
  surplus: number,
): Lowered[] | undefined {
  const held = new Set(heldNow);
  const allowed = insideOf(result, held).arrays.size - surplus;
  const reliefs: Lowered[] = [];
  for (;;) {
    const { arrays, smallest } = insideOf(result, held);
    if (arrays.size <= allowed) break;
    if (smallest === undefined) return undefined;
    reliefs.push(smallest);
    held.add(smallest);
  }
  return reliefs.filter((of) => {
    held.delete(of);
    if (insideOf(result, held).arrays.size <= allowed) return false;
    held.add(of);
    return true;
  });
}

/** The arrays that a kernel reads, but for that of slots, and the smallest operation inside that reads several. */
function insideOf(result: Lowered, held: ReadonlySet<Lowered>) {
  let smallest: Lowered | undefined;
  const arraysOf = (of: Lowered): Set<Lowered> => {
    const arrays = new Set<Lowered>();
    for (const { of: operand } of of.operands) {
      if (held.has(operand)) {
        if (operand.kind !== "number") arrays.add(operand);
        continue;
      }
      const inside = arraysOf(operand);
      const size = sizeOf(operand.shape);
      if (operand.kind !== "view" && inside.size > 1) {
        if (smallest === undefined || size < sizeOf(smallest.shape)) smallest = operand;
      }
      for (const array of inside) arrays.add(array);
    }
    return arrays;
  };
  return { arrays: arraysOf(result), smallest };
}
