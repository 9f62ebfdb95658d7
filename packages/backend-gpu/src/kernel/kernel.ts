// A kernel: the text of a function, and what it reads and computes.

import { sizeOf, stridesOf } from "@fewnorm/tensor";
import { sumOf } from "../lower/lowering.ts";
import { convolves, type Lowered, type Place, readsOften } from "../lowered.ts";
import type { Sizes } from "../sizes.ts";
import { type Arrays, createEmitter, type IndexArithmetic } from "./emitter.ts";
import { lanesFor, oneLane, returnLanes, stepOf } from "./lanes.ts";
import {
  fitsGrid,
  MOST_COUNTED,
  type ThreadLayout,
  threadCoordinates,
  threadsOf,
  unflatten,
} from "./threads.ts";
import { largeWorkgroups } from "./workgroups.ts";

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
  /** Elements that a thread computes; where they are several, the first threads compute all. */
  readonly lanes: number;
  /** Whether its threads begin in large workgroups. */
  readonly isLarge: boolean;
  /** What it computes, one after the other into one array. */
  readonly results: readonly [Lowered, ...Lowered[]];
}

export interface KernelOptions {
  readonly layout: ThreadLayout;
  readonly indices: IndexArithmetic;
  readonly sizes: Sizes;
}

interface KernelContext extends KernelOptions {
  /** Where a result lies; what lies nowhere is computed. */
  placeOf(of: Lowered): Place | undefined;
  /** What is not read where it lies, but computed, for this result. */
  repeatsOf(result: Lowered): ReadonlySet<Lowered>;
  readonly slotArray: Lowered;
}

/** The kernel of some results, which do not need each other. */
export function kernelOf(
  results: Kernel["results"],
  { placeOf, repeatsOf, slotArray, layout, indices, sizes }: KernelContext,
): Kernel {
  let result: Lowered = results[0];
  const [first, ...others] = results;
  const isHeld = (of: Lowered) => placeOf(of) !== undefined;
  const apart = others.length === 0 ? convolves(first, isHeld) : undefined;
  const lanes = apart === undefined ? oneLane : lanesFor(first.shape, apart, sizes);
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
  // Of threads along several axes, those that compute lanes would not be the first ones.
  const isCounted = sizeOf(first.shape) <= MOST_COUNTED;
  const mayBeFlat = layout === "wide" && isCounted;
  const isFlat = emitter.hasLanes || (mayBeFlat && (isMap || !fitsGrid(first.shape)));
  const laid = isFlat ? "flat" : layout === "wide" ? "grid" : layout;
  let threads = threadsOf(first.shape, laid);
  let value: string;
  let end: string | undefined;
  if (others.length === 0) {
    const [n = 1, a = 1, b = 1, ...rest] = first.shape;
    const each = emitter.hasLanes ? [n, a / lanes.A, b / lanes.B, ...rest] : first.shape;
    const at = threadCoordinates(emitter, each, laid).map((one, axis) => {
      const isSideBySide = axis === 2 && stepOf("B", lanes, first.shape) === 1;
      return isSideBySide && lanes.B > 1 ? emitter.name(`${one} * ${lanes.B}`) : one;
    });
    value = first.emit(
      emitter,
      at.map((one, axis) => {
        const along = ([undefined, "A", "B"] as const)[axis];
        if (along === undefined) return one;
        return emitter.spread(one, along, stepOf(along, lanes, first.shape));
      }),
    );
    if (emitter.hasLanes) {
      const strides = stridesOf(first.shape);
      const place = sumOf(
        at.map((one, axis) => (one === "0" ? one : `(${one} | 0) * ${strides[axis]}`)),
      );
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
  const elements = lanes.A * lanes.B;
  const isLarge = elements === 1 && sizeOf(threads) >= sizes.largeThreads;
  const begin = isLarge ? `${largeWorkgroups}\n` : "";
  return {
    source: `function (${[...arrays.values()].join(", ")}) {\n${begin}${statements()}\n${end ?? `return ${value};`}\n}`,
    threads,
    inputs: [...(arrays as Arrays).keys()],
    work: work(),
    lanes: elements,
    isLarge,
    partWork: results.length === 1 && result.parts !== undefined ? works() : [],
    results,
  };
}
