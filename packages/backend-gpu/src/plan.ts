// Which operations become kernels, and what these are: a kernel computes one operation, or some small ones that do not
// need each other, and within each those that only it needs, element by element.

import { type Graph, sizeOf } from "@fewnorm/tensor";
import { groupsOf } from "./groups.ts";
import { heldOf, isGiven, reliefsOf } from "./held.ts";
import { type Kernel, type KernelOptions, kernelOf } from "./kernel/kernel.ts";
import { type LoweredGraph, lower } from "./lower/lower.ts";
import type { Lowered, Place } from "./lowered.ts";
import { repeatsOf } from "./repeats.ts";

export interface Plan extends Pick<LoweredGraph, "results" | "slots"> {
  /** In an order in which every input precedes its use. */
  readonly kernels: readonly Kernel[];
  /** The arrays that come from outside. */
  readonly arguments: readonly Lowered[];
  /** Where the kernels' results lie. */
  readonly places: ReadonlyMap<Lowered, Place>;
}

export interface PlanOptions extends KernelOptions {
  /** Threads of a kernel that computes several results; 0 where each result has one of its own. */
  readonly mostThreads: number;
  /** Statements that a kernel may run more so that it need not wait for another; 0 where waiting costs next to nothing. */
  readonly mostRepeats: number;
  /** Arrays that a kernel may read. */
  readonly mostArrays: number;
}

/** @throws Error when a primitive reads more arrays than the device allows. */
export function plan(graph: Graph, options: PlanOptions): Plan {
  const { mostThreads, mostRepeats, mostArrays } = options;
  const { results, slots, slotArray } = lower(graph, options.sizes);
  const ends = [...Object.values(graph.outputs), ...Object.values(graph.updates)];
  const roots = new Set(
    ends.map((id) => results[id] as Lowered).filter(({ kind }) => !isGiven(kind)),
  );
  const order = inOrder(roots);
  const { alone, emit, single } = separateKernels(order, roots, slotArray, options);
  const repeats = repeatsOf(single, { mostArrays, mostRepeats, emit });
  const needed = needOf(
    single.map((kernel) => repeats.get(kernel.results[0])?.kernel ?? kernel),
    roots,
  );
  const fetched = new Set(Object.values(graph.outputs).map((id) => results[id] as Lowered));
  const groups = groupsOf(needed, { fetched, mostArrays, mostThreads });
  const places = placesIn(groups);
  const context = {
    ...options,
    slotArray,
    placeOf: (of: Lowered) => places.get(of) ?? alone(of),
    repeatsOf: (of: Lowered) => repeats.get(of)?.repeated ?? nothing,
  };
  const kernels = groups.map((group) => kernelOf(group, context));
  const read = new Set(kernels.flatMap(({ inputs }) => inputs));
  const given = [...read].filter(({ kind }) => kind === "argument");
  return { results, slots, kernels, places, arguments: given };
}

const nothing: ReadonlySet<Lowered> = new Set();

/**
 * A kernel for each result that lies in an array, with as many arrays as it takes that none reads too many. `emit` makes
 * the same with inputs that the kernel computes itself, `alone` says where results lie then.
 */
function separateKernels(
  order: readonly Lowered[],
  roots: ReadonlySet<Lowered>,
  slotArray: Lowered,
  options: PlanOptions,
) {
  const { mostArrays } = options;
  const forced = new Set<Lowered>();
  for (;;) {
    const held = heldOf(order, roots, forced);
    const alone = (of: Lowered) => (held.has(of) ? { array: of, offset: 0 } : undefined);
    const emit = (result: Lowered, repeated: ReadonlySet<Lowered>) =>
      kernelOf([result], { ...options, slotArray, placeOf: alone, repeatsOf: () => repeated });
    const single = order
      .filter((of) => held.has(of) && !isGiven(of.kind))
      .map((result) => emit(result, nothing));
    const crowded = single.filter(({ inputs }) => inputs.length > mostArrays);
    if (crowded.length === 0) return { alone, emit, single };
    for (const { results, inputs } of crowded) {
      const reliefs = reliefsOf(results[0], held, inputs.length - mostArrays);
      if (reliefs === undefined) {
        throw new Error(
          `compile: an operation reads ${inputs.length} arrays; the device allows ${mostArrays}`,
        );
      }
      for (const of of reliefs) forced.add(of);
    }
  }
}

/** The kernels whose results are read. */
function needOf(kernels: readonly Kernel[], roots: ReadonlySet<Lowered>): Kernel[] {
  const read = new Set(roots);
  return kernels
    .toReversed()
    .filter(({ inputs, results }) => {
      if (!read.has(results[0])) return false;
      for (const of of inputs) read.add(of);
      return true;
    })
    .reverse();
}

function placesIn(groups: readonly Kernel["results"][]): Map<Lowered, Place> {
  const places = new Map<Lowered, Place>();
  for (const group of groups) {
    let offset = 0;
    for (const of of group) {
      places.set(of, { array: group[0], offset });
      offset += sizeOf(of.shape);
    }
  }
  return places;
}

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
