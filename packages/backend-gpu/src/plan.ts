// Which operations become kernels, and what these are: a kernel computes one operation, or some small ones that do not
// need each other, and within each those that only it needs, element by element.

import { type Graph, sizeOf, stridesOf } from "@fewnorm/tensor";
import { groupsOf } from "./groups.ts";
import { type Arrays, createEmitter, type IndexArithmetic } from "./kernel/emitter.ts";
import { lanesFor, oneLane, returnLanes } from "./kernel/lanes.ts";
import { type ThreadLayout, threadCoordinates, threadsOf, unflatten } from "./kernel/threads.ts";
import { type LoweredGraph, lower } from "./lower/lower.ts";
import { sumOf } from "./lower/lowering.ts";
import { type Access, convolves, type Lowered, type Place, readsOften } from "./lowered.ts";
import { repeatsOf } from "./repeats.ts";

export interface Kernel {
  /** A function of the arrays, in gpu.js's subset of JavaScript. */
  readonly source: string;
  /** Sizes of the threads, x first; row-major, they enumerate the results' elements. */
  readonly threads: readonly number[];
  /** The arrays that it reads, each by the result that it begins with. */
  readonly inputs: readonly Lowered[];
  /** Statements that a thread runs. */
  readonly work: number;
  /** Statements that a thread runs in each part of a result that has parts. */
  readonly partWork: readonly number[];
  /** What it computes, one after the other into one array. */
  readonly results: readonly [Lowered, ...Lowered[]];
}

export interface Plan extends Pick<LoweredGraph, "results" | "slots"> {
  /** In an order in which every input precedes its use. */
  readonly kernels: readonly Kernel[];
  /** The arrays that come from outside. */
  readonly arguments: readonly Lowered[];
  /** Where the kernels' results lie. */
  readonly places: ReadonlyMap<Lowered, Place>;
}

export interface PlanOptions {
  readonly layout: ThreadLayout;
  readonly indices: IndexArithmetic;
  /** Whether threads may compute several elements. */
  readonly lanes: boolean;
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
  const { results, slots, slotArray } = lower(graph);
  const ends = [...Object.values(graph.outputs), ...Object.values(graph.updates)];
  const roots = new Set(
    ends.map((id) => results[id] as Lowered).filter(({ kind }) => !isGiven(kind)),
  );
  const order = inOrder(roots);
  const forced = new Set<Lowered>();
  for (;;) {
    const held = heldOf(order, roots, forced);
    const alone = (of: Lowered) => (held.has(of) ? { array: of, offset: 0 } : undefined);
    const emit = (result: Lowered, repeated: ReadonlySet<Lowered>) =>
      kernelOf([result], { ...options, slotArray, placeOf: alone, repeatsOf: () => repeated });
    const nothing = new Set<Lowered>();
    const single = order
      .filter((of) => held.has(of) && !isGiven(of.kind))
      .map((result) => emit(result, nothing));
    const crowded = single.filter(({ inputs }) => inputs.length > mostArrays);
    if (crowded.length === 0) {
      const fetched = new Set(Object.values(graph.outputs).map((id) => results[id] as Lowered));
      const repeats = repeatsOf(single, { mostArrays, mostRepeats, emit });
      const repeatedBy = (of: Lowered) => repeats.get(of)?.repeated ?? nothing;
      const needed = needOf(
        single.map((kernel) => repeats.get(kernel.results[0])?.kernel ?? kernel),
        roots,
      );
      const groups = groupsOf(needed, { fetched, mostArrays, mostThreads });
      const places = placesIn(groups);
      const placeOf = (of: Lowered) => places.get(of) ?? alone(of);
      const kernels = groups.map((group) =>
        kernelOf(group, { ...options, slotArray, placeOf, repeatsOf: repeatedBy }),
      );
      const read = new Set(kernels.flatMap(({ inputs }) => inputs));
      const given = [...read].filter(({ kind }) => kind === "argument");
      return { results, slots, kernels, places, arguments: given };
    }
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
const SMALL = { elements: 2048, operations: 5 };

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

/** The operations inside of a kernel that are to be held so that it reads fewer arrays, none of them in vain. */
function reliefsOf(
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

interface KernelContext extends Pick<PlanOptions, "layout" | "indices" | "lanes"> {
  placeOf(of: Lowered): Place | undefined;
  /** What is not read where it lies, but computed, for this result. */
  repeatsOf(result: Lowered): ReadonlySet<Lowered>;
  readonly slotArray: Lowered;
}

function kernelOf(
  results: Kernel["results"],
  { placeOf, repeatsOf, slotArray, layout, indices, lanes: mayHaveLanes }: KernelContext,
): Kernel {
  let result: Lowered = results[0];
  const [first, ...others] = results;
  const isHeld = (of: Lowered) => placeOf(of) !== undefined;
  const hasLanes = mayHaveLanes && others.length === 0 && convolves(first, isHeld);
  const lanes = hasLanes ? lanesFor(first.shape) : oneLane;
  const { emitter, arrays, statements, work, works } = createEmitter({
    placeOf(of) {
      if (of === result || repeatsOf(result).has(of)) return undefined;
      return of === slotArray ? { array: of, offset: 0 } : placeOf(of);
    },
    slots: slotArray,
    indices,
    lanes,
  });
  const isMap = first.shape.length === 4 && readsOften(first, isHeld);
  const laid = layout === "wide" ? (isMap ? "flat" : "grid") : layout;
  let threads = threadsOf(first.shape, laid);
  let value: string;
  let end: string | undefined;
  if (others.length === 0) {
    const [n = 1, a = 1, b = 1, ...rest] = first.shape;
    const each = emitter.hasLanes ? [n, a / lanes.A, b / lanes.B, ...rest] : first.shape;
    const at = threadCoordinates(emitter, each, laid);
    value = first.emit(
      emitter,
      at.map((one, axis) => {
        const along = ([undefined, "A", "B"] as const)[axis];
        return along === undefined ? one : emitter.spread(one, along, each[axis] as number);
      }),
    );
    if (emitter.hasLanes) {
      const strides = stridesOf(first.shape);
      const place = sumOf(at.map((one, axis) => (one === "0" ? one : `${one} * ${strides[axis]}`)));
      end = returnLanes(value, place, lanes, first.shape);
    }
  } else {
    const thread = emitter.name("this.thread.x");
    let stop = 0;
    const cases = results.map((of, i) => {
      const begin = stop;
      stop += sizeOf(of.shape);
      const emit = () => {
        result = of;
        const position = begin === 0 ? thread : emitter.name(`${thread} - ${begin}`);
        return of.emit(emitter, unflatten(emitter, position, of.shape));
      };
      return i < others.length ? { when: `${thread} < ${stop}`, value: emit } : { value: emit };
    });
    value = emitter.choose(cases);
    threads = [stop];
  }
  // A kernel reads something.
  if (arrays.size === 0) emitter.slot(0);
  return {
    source: `function (${[...arrays.values()].join(", ")}) {\n${statements()}\n${end ?? `return ${value};`}\n}`,
    threads,
    inputs: [...(arrays as Arrays).keys()],
    work: work(),
    partWork: results.length === 1 && result.parts !== undefined ? works() : [],
    results,
  };
}
