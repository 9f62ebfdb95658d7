// What the lowerings of all primitives share.

import type { NodeOf, Primitive, Shape } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Coordinates, Lowered, Operand } from "../lowered.ts";
import type { Sizes } from "../sizes.ts";
import type { Slots } from "./integers.ts";

/** Turns a node into operations, the last of which computes the node's result. */
export type Lowering<P extends Primitive> = (context: LoweringContext<P>) => Lowered;

export interface LoweringContext<P extends Primitive> {
  readonly node: NodeOf<P>;
  /** The operands; int32 ones hold what the host computes. */
  readonly x: readonly Lowered[];
  readonly slots: Slots;
  readonly sizes: Sizes;
  /** What `make` made the first time that it was asked for with these two. */
  shared(a: Lowered, b: Lowered, make: () => Lowered): Lowered;
}

/** An operand, with its absence made an error. */
export function operand(x: readonly Lowered[], index: number): Lowered {
  const of = x[index];
  if (of === undefined) throw new Error(`operand ${index} is missing; the graph is malformed`);
  return of;
}

export const once = (of: Lowered): Operand => ({ of, access: "once" });
export const spread = (of: Lowered): Operand => ({ of, access: "spread" });
export const often = (of: Lowered): Operand => ({ of, access: "often" });

type Emit = (e: Emitter, at: Coordinates) => string;

export const pointwise = (shape: Shape, operands: readonly Operand[], emit: Emit): Lowered => ({
  kind: "pointwise",
  shape,
  operands,
  emit,
});

export const loop = (shape: Shape, operands: readonly Operand[], emit: Emit): Lowered => ({
  kind: "loop",
  shape,
  operands,
  emit,
});

/** A loop whose results side by side read the same elements, those of rows as far apart as `stride` by the same taps. */
export const convolution = (stride: number, ...given: Parameters<typeof loop>): Lowered => ({
  ...loop(...given),
  convolves: stride,
});

/** The elements of `of`, elsewhere. */
export const view = (
  shape: Shape,
  { of, access }: Operand,
  map: (e: Emitter, at: Coordinates) => Coordinates,
): Lowered =>
  of.kind === "number"
    ? { ...of, shape }
    : {
        kind: "view",
        shape,
        operands: [{ of, access }],
        emit: (e, at) => e.read(of, map(e, at)),
      };

export const argument = (shape: Shape, source: NonNullable<Lowered["source"]>): Lowered => ({
  kind: "argument",
  shape,
  operands: [],
  source,
  emit() {
    throw new Error("an argument is read, not computed");
  },
});

/** A number that kernels hold in their text. */
export const numberOf = (value: number, shape: Shape): Lowered => ({
  kind: "number",
  shape,
  operands: [],
  value,
  emit: () => literal(value),
});

/** A number as kernels write it: without an exponent, and of a sign of its own in brackets. */
export function literal(value: number): string {
  const text = Math.fround(value)
    .toFixed(60)
    .replace(/\.?0+$/, "");
  return value < 0 ? `(${text})` : text;
}

/** Whether `literal` tells this number exactly: its 60 decimals are 40 digits or more of these. */
export const isLiteral = (value: number): boolean =>
  !Object.is(value, -0) && (value === 0 || (Math.abs(value) > 1e-20 && Math.abs(value) < 1e20));

export const relu = (value: string): string => `(${value} < 0 ? 0 : ${value})`;

/** The sum of some expressions. */
export const sumOf = (terms: readonly string[]): string =>
  terms.filter((term) => term !== "0").join(" + ") || "0";
