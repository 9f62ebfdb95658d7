// What a graph is turned into before kernels are cut from it: operations that say how one element of their
// result is computed, as text of a kernel.

import type { RowRange, Shape } from "@fewnorm/tensor";
import type { Emitter } from "./kernel/emitter.ts";

/** The index of an element: one expression for each axis. */
export type Coordinates = readonly string[];

/**
 * How often an operation reads each element of an operand: `once` at most; `spread`, by several elements of
 * its result or several times, but cheaply; `often`, so that computing it anew each time would be a waste.
 */
export type Access = "once" | "spread" | "often";

/** Where the elements come from that are not computed. */
export type Source =
  | { readonly from: "feed"; readonly name: string }
  | { readonly from: "state"; readonly name: string }
  | { readonly from: "constant"; readonly values: number | readonly number[] }
  /** The result of an int32 node, which the host computes. */
  | { readonly from: "integers"; readonly node: number }
  /** All slots of the plan; see integers.ts. */
  | { readonly from: "slots" };

export interface Operand {
  readonly of: Lowered;
  readonly access: Access;
}

/**
 * One operation. `argument`s are held by arrays, `number`s stand in the text of kernels, `view`s only map an index,
 * `pointwise` operations compute an element from few others, and `loop`s from many.
 */
export interface Lowered {
  readonly kind: "argument" | "number" | "view" | "pointwise" | "loop";
  readonly shape: Shape;
  readonly operands: readonly Operand[];
  /**
   * Of a `loop` whose results side by side read the same elements: how far apart rows of a map lie that the same taps
   * compute.
   */
  readonly convolves?: number;
  /** Of a `pointwise` operation that only moves elements: every kernel that reads it computes it, as a view. */
  readonly moves?: true;
  /** Of an `argument`. */
  readonly source?: Source;
  /** Of a `number`. */
  readonly value?: number;
  /** Of a `view` that is a range of rows of another: that one, and which range. */
  readonly rows?: { readonly whole: Lowered; readonly range: RowRange; readonly slot: number };
  /** Of rows that are computed in several ways: which in which. The first part that a row lies in computes it. */
  readonly parts?: readonly { readonly range: RowRange; readonly slot: number }[];
  /** The expression of the element at these coordinates; what it needs first goes to the emitter. */
  emit(e: Emitter, at: Coordinates): string;
}

/** Where a result lies: from which element on, in the array that begins with the result of `array`. */
export interface Place {
  readonly array: Lowered;
  readonly offset: number;
}

/** Whether it is a convolution or the like, which reads an operand's elements again and again, or one inside of it is. */
export function readsOften(result: Lowered, isHeld: (of: Lowered) => boolean): boolean {
  return result.operands.some(
    ({ of, access }) =>
      (result.kind === "loop" && access === "often") || (!isHeld(of) && readsOften(of, isHeld)),
  );
}

/** Of a convolution or one of its gradients, or where one is inside of it, how far apart rows lie; else undefined. */
export function convolves(result: Lowered, isHeld: (of: Lowered) => boolean): number | undefined {
  const inside = result.operands.flatMap(({ of }) =>
    isHeld(of) ? [] : (convolves(of, isHeld) ?? []),
  );
  const all = [...inside, ...(result.convolves === undefined ? [] : [result.convolves])];
  return all.length === 0 ? undefined : Math.max(...all);
}
