// Which operations become kernels, and what these are: a kernel computes one operation, and within it those that
// only it needs, element by element.

import { type Graph, sizeOf } from "@fewnorm/tensor";
import { type Arrays, createEmitter } from "./kernel/emitter.ts";
import { type ThreadLayout, threadCoordinates, threadsOf } from "./kernel/threads.ts";
import { type LoweredGraph, lower } from "./lower/lower.ts";
import type { Access, Lowered } from "./lowered.ts";

export interface Kernel {
  /** A function of the arrays, in gpu.js's subset of JavaScript. */
  readonly source: string;
  /** Sizes of the threads, x first; row-major, they enumerate the result's elements. */
  readonly threads: readonly number[];
  readonly inputs: readonly Lowered[];
  readonly result: Lowered;
}

export interface Plan extends Pick<LoweredGraph, "results" | "slots"> {
  /** In an order in which every input precedes its use. */
  readonly kernels: readonly Kernel[];
  /** The arrays that come from outside. */
  readonly arguments: readonly Lowered[];
}

export interface PlanOptions {
  readonly layout: ThreadLayout;
  /** Arrays that a kernel may read. */
  readonly mostArrays: number;
}

/** @throws Error when a primitive reads more arrays than the device allows. */
export function plan(graph: Graph, { layout, mostArrays }: PlanOptions): Plan {
  const { results, slots, slotArray } = lower(graph);
  const ends = [...Object.values(graph.outputs), ...Object.values(graph.updates)];
  const roots = new Set(
    ends.map((id) => results[id] as Lowered).filter(({ kind }) => !isGiven(kind)),
  );
  const order = inOrder(roots);
  const forced = new Set<Lowered>();
  for (;;) {
    const held = heldOf(order, roots, forced);
    const kernels = order
      .filter((of) => held.has(of) && !isGiven(of.kind))
      .map((result) => kernelOf(result, { held, slotArray, layout }));
    const crowded = kernels.filter(({ inputs }) => inputs.length > mostArrays);
    if (crowded.length === 0) {
      const read = new Set(kernels.flatMap(({ inputs }) => inputs));
      const given = [...read].filter(({ kind }) => kind === "argument");
      return { results, slots, kernels, arguments: given };
    }
    for (const { result, inputs } of crowded) {
      const relief = smallestInside(result, held);
      if (relief === undefined) {
        throw new Error(
          `compile: an operation reads ${inputs.length} arrays; the device allows ${mostArrays}`,
        );
      }
      forced.add(relief);
    }
  }
}

const isGiven = (kind: Lowered["kind"]): boolean => kind === "argument" || kind === "number";

/** All operations that the roots need, operands first. */
function inOrder(roots: Iterable<Lowered>): Lowered[] {
  const order = new Set<Lowered>();
  const open: { of: Lowered; next: number }[] = [];
  for (const root of roots) {
    open.push({ of: root, next: 0 });
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const operand = top.of.operands[top.next++];
      if (operand === undefined) {
        order.add(top.of);
        open.pop();
      } else if (!order.has(operand.of)) {
        open.push({ of: operand.of, next: 0 });
      }
    }
  }
  return [...order];
}

const ranks: Readonly<Record<Access, number>> = { once: 0, spread: 1, often: 2 };

/** Vectors of no more elements and operations than this are computed wherever they are read: it saves kernels. */
const SMALL = { elements: 2048, operations: 3 };

/**
 * The operations whose results lie in arrays. An operation is computed inside of what reads it if only one kernel does,
 * and each element about once. Views are always computed where they are read.
 */
function heldOf(
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

/** The smallest operation computed inside of a kernel that reads several arrays. */
function smallestInside(result: Lowered, held: ReadonlySet<Lowered>): Lowered | undefined {
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
  arraysOf(result);
  return smallest;
}

interface KernelContext {
  readonly held: ReadonlySet<Lowered>;
  readonly slotArray: Lowered;
  readonly layout: ThreadLayout;
}

function kernelOf(result: Lowered, { held, slotArray, layout }: KernelContext): Kernel {
  const { emitter, arrays, statements } = createEmitter({
    isHeld: (of) => of !== result && (held.has(of) || of === slotArray),
    slots: slotArray,
  });
  const value = result.emit(emitter, threadCoordinates(emitter, result.shape, layout));
  // A kernel reads something.
  if (arrays.size === 0) emitter.slot(0);
  return {
    source: `function (${[...arrays.values()].join(", ")}) {\n${statements()}\nreturn ${value};\n}`,
    threads: threadsOf(result.shape, layout),
    inputs: [...(arrays as Arrays).keys()],
    result,
  };
}
