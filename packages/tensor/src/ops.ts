// The primitives as functions over symbolic tensors, with the defaults that users expect.

import type { Tensor, VectorJacobianProduct } from "./graph.ts";
import { checkOptions, showValue } from "./options.ts";
import type { Node, RowRange, WindowAttributes } from "./primitives.ts";
import { type Shape, sameShape } from "./shape.ts";
import { checkTensor, convolved } from "./shape-checks.ts";

/** A tensor, or a number that broadcasts. */
export type Operand = Tensor | number;

type BinaryOp = "add" | "subtract" | "multiply" | "divide";

function binary(op: BinaryOp, a: Operand, b: Operand): Tensor {
  const owner = typeof a === "number" ? b : a;
  if (typeof owner === "number") throw new TypeError(`${op}: one operand must be a tensor`);
  checkTensor(op, owner);
  const lift = (value: Operand) =>
    typeof value === "number" ? owner.builder.constant(value) : value;
  return owner.builder.append(op, [lift(a), lift(b)], {});
}

/** a + b, element by element; shapes broadcast as in NumPy. */
export const add = (a: Operand, b: Operand): Tensor => binary("add", a, b);
/** a − b, element by element; shapes broadcast as in NumPy. */
export const subtract = (a: Operand, b: Operand): Tensor => binary("subtract", a, b);
/** a · b, element by element; shapes broadcast as in NumPy. */
export const multiply = (a: Operand, b: Operand): Tensor => binary("multiply", a, b);
/** a / b, element by element; shapes broadcast as in NumPy. */
export const divide = (a: Operand, b: Operand): Tensor => binary("divide", a, b);
/** √x. */
export const sqrt = (x: Tensor): Tensor => x.builder.append("sqrt", [x], {});
/** max(x, 0). */
export const relu = (x: Tensor): Tensor => x.builder.append("relu", [x], {});
/** g where y > 0, else 0: the gradient of ReLU from its result y. */
export const reluGrad = (g: Tensor, y: Tensor): Tensor => g.builder.append("reluGrad", [g, y], {});

/** The same elements, row-major, in another shape. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : x.builder.append("reshape", [x], { shape });
}

/** x repeated along axes of size 1 (or missing ones in front) to `shape`. */
export function broadcast(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : x.builder.append("broadcast", [x], { shape });
}

/** Sum over `axes` (all of them by default), which disappear from the shape. */
export function sum(x: Tensor, axes: readonly number[] = x.shape.map((_, axis) => axis)): Tensor {
  if (axes.length === 0) return x;
  return x.builder.append("sum", [x], { axes: [...axes].sort((a, b) => a - b) });
}

/** Mean over `axes` (all of them by default), which disappear from the shape. */
export function mean(x: Tensor, axes: readonly number[] = x.shape.map((_, axis) => axis)): Tensor {
  const count = axes.reduce((size, axis) => size * (x.shape[axis] ?? 1), 1);
  return multiply(sum(x, axes), 1 / count);
}

/** y[i] = x[start + i·stride] in every axis. */
export function slice(x: Tensor, options: { start: Shape; stride?: Shape; shape: Shape }): Tensor {
  const { start, shape, stride = start.map(() => 1) } = options;
  return x.builder.append("slice", [x], { start, stride, shape });
}

/** y[before + i·interior] = x[i] in every axis and zero elsewhere. */
export function pad(x: Tensor, options: { before: Shape; interior?: Shape; shape: Shape }): Tensor {
  const { before, shape, interior = before.map(() => 1) } = options;
  return x.builder.append("pad", [x], { before, interior, shape });
}

/** Row `index` of a matrix, as a vector. */
export function row(x: Tensor, index: number): Tensor {
  const columns = x.shape[1] ?? 1;
  return reshape(slice(x, { start: [index, 0], shape: [1, columns] }), [columns]);
}

/** Product of two matrices, either of them transposed on request. */
export function matmul(
  a: Tensor,
  b: Tensor,
  options: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  const { transposeA = false, transposeB = false } = options;
  return a.builder.append("matmul", [a, b], { transposeA, transposeB });
}

/** Options of {@link conv2d}. A number stands for both directions. */
export interface Conv2dOptions {
  /** Default 1. */
  readonly stride?: number | readonly [number, number];
  /** Zero pixels on each side, default 0. */
  readonly padding?: number | readonly [number, number];
  /** Default 1. */
  readonly groups?: number;
  /** [O], added to each output channel. */
  readonly bias?: Tensor | undefined;
  /** Shaped as the result, added to it before the activation. */
  readonly residual?: Tensor | undefined;
  /** Ends in max(·, 0). Default false. */
  readonly relu?: boolean;
}

/**
 * Both directions of an option that a number may stand for: 3 → [3, 3].
 * @param where what a message begins with, such as the function's name
 * @param name what a message calls the option
 * @throws TypeError for what is neither a number nor an array of two.
 */
export function pair(
  value: number | readonly [number, number],
  where = "pair",
  name = "the value",
): readonly [number, number] {
  if (typeof value === "number") return [value, value];
  if (Array.isArray(value) && value.length === 2) return value;
  throw new TypeError(
    `${where}: ${name} is ${showValue(value)}; give a number, or an array of two, down and across`,
  );
}

/** The shape of x ∗ w. @throws RangeError, which begins with `where`, when the shapes do not fit. */
export function convolvedShape(
  x: Shape,
  w: Shape,
  options: Pick<Conv2dOptions, "stride" | "padding" | "groups"> = {},
  where = "convolvedShape",
): Shape {
  const { stride = 1, padding = 0, groups = 1 } = options;
  const geometry = {
    stride: pair(stride, where, "stride"),
    padding: pair(padding, where, "padding"),
    groups,
  };
  return convolved(where, x, w, geometry);
}

/**
 * act(x ∗ w + bias + residual), ∗ being cross-correlation: x [N, C, H, W], w [O, C/groups, kh, kw]
 * → [N, O, (H + 2·padding − kh)/stride + 1, …].
 * @throws RangeError when the shapes do not fit; TypeError for a stride or a padding that is neither a number nor two.
 */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor {
  checkOptions("conv2d", options, {
    stride: "any",
    padding: "any",
    groups: "number",
    bias: "any",
    residual: "any",
    relu: "boolean",
  });
  const { stride = 1, padding = 0, groups = 1, bias, residual, relu = false } = options;
  const inputs = [x, w, bias, residual].filter((tensor) => tensor !== undefined);
  return x.builder.append("conv2d", inputs, {
    stride: pair(stride, "conv2d", "stride"),
    padding: pair(padding, "conv2d", "padding"),
    groups,
    bias: bias !== undefined,
    residual: residual !== undefined,
    relu,
  });
}

/** Options of {@link maxPool}. A number stands for both directions. */
export interface MaxPoolOptions {
  /** Height and width of the window. */
  readonly kernel: number | readonly [number, number];
  /** Default: as the kernel. */
  readonly stride?: number | readonly [number, number];
  /** Pixels on each side that are never the largest; default 0, smaller than the kernel. */
  readonly padding?: number | readonly [number, number];
}

/**
 * The largest value of each window: x [N, C, H, W] → [N, C, ⌊(H + 2·padding − kernel)/stride⌋ + 1, …].
 * The gradient goes to the first of equal ones, in row-major order.
 * @throws RangeError when no window fits; TypeError for a size that is neither a number nor two.
 */
export function maxPool(x: Tensor, options: MaxPoolOptions): Tensor {
  checkOptions("maxPool", options, { kernel: "any", stride: "any", padding: "any" });
  const { kernel, stride = kernel, padding = 0 } = options;
  const windows = {
    kernel: pair(kernel, "maxPool", "kernel"),
    stride: pair(stride, "maxPool", "stride"),
    padding: pair(padding, "maxPool", "padding"),
  };
  return x.builder.append("maxPool", [x], windows);
}

/** Mean and biased variance of each channel of x ([N, C, H, W] or [N, C]), as the two rows of [2, C]. */
export const moments = (x: Tensor): Tensor => x.builder.append("moments", [x], {});

/** act((x − mean)·scale + shift + residual), channel by channel; mean, scale and shift are [C]. */
export function normalize(
  x: Tensor,
  mean: Tensor,
  scale: Tensor,
  shift: Tensor,
  options: { residual?: Tensor | undefined; relu?: boolean } = {},
): Tensor {
  const { residual, relu = false } = options;
  const inputs = [x, mean, scale, shift, residual].filter((tensor) => tensor !== undefined);
  return x.builder.append("normalize", inputs, { residual: residual !== undefined, relu });
}

/** x with each channel multiplied by `scale` [C]. */
export function scaleChannels(x: Tensor, scale: Tensor): Tensor {
  const zero = x.builder.constant(0, scale.shape);
  return normalize(x, zero, scale, zero);
}

/** Σ g and Σ g·(x − mean) of each channel, as the two rows of [2, C]. */
export const normalizeGradSums = (g: Tensor, x: Tensor, mean: Tensor): Tensor =>
  x.builder.append("normalizeGradSums", [g, x, mean], {});

/** Sum over everything but the channels: [N, C, H, W] or [N, C] → [C]. */
export const sumChannels = (x: Tensor): Tensor =>
  sum(
    x,
    x.shape.map((_, axis) => axis).filter((axis) => axis !== 1),
  );

/** What {@link rows} and its relatives need to know: where the range is, and where its start is read. */
export interface RowsOptions {
  readonly range: RowRange;
  /** Index into the start vector, default 0. */
  readonly index?: number;
}

/** A cyclic range of x's rows (axis 0); `start` is an int32 vector. See {@link RowRange}. */
export function rows(x: Tensor, start: Tensor, options: RowsOptions): Tensor {
  const { range, index = 0 } = options;
  const { builder } = x;
  const node = builder.nodes[x.id] as Node;
  if (node.op === "joinRows") {
    // Taking apart what was just put together gives the part itself.
    const parts = node.attributes.ranges.length;
    const at = node.attributes.ranges.findIndex(
      (other, i) =>
        sameRange(range, other) &&
        node.inputs[parts + i] === start.id &&
        node.attributes.indices[i] === index,
    );
    if (at >= 0) return builder.tensor(node.inputs[at] as number);
  }
  const first = builder.nodes[start.id] as Node;
  const still = first.op === "constant" && first.attributes.values === 0;
  if (still && range.base === 0 && range.offset === 0 && range.count === x.shape[0]) return x;
  return builder.append("rows", [x, start], { index, range });
}

/** Whether both are the same rows, whatever the start. */
export function sameRange(a: RowRange, b: RowRange): boolean {
  return a.base === b.base && a.modulo === b.modulo && a.offset === b.offset && a.count === b.count;
}

/** One part of {@link joinRows}: its rows, and the range that they fill. */
export interface RowsPart extends RowsOptions {
  readonly part: Tensor;
  readonly start: Tensor;
}

/**
 * Puts parts together by rows. The ranges must cover every row exactly once, whatever the starts:
 * those with one base and modulo turn together, by the same start.
 * @throws RangeError when they do not.
 */
export function joinRows(parts: readonly RowsPart[]): Tensor {
  const [first] = parts;
  if (first === undefined) throw new RangeError("joinRows: there are no parts; give at least one");
  if (!coversAllRows(parts)) {
    const ranges = parts.map(({ range }) => JSON.stringify(range)).join(", ");
    throw new RangeError(`joinRows: the ranges ${ranges} do not cover every row exactly once`);
  }
  return first.part.builder.append(
    "joinRows",
    [...parts.map(({ part }) => part), ...parts.map(({ start }) => start)],
    {
      ranges: parts.map(({ range }) => range),
      indices: parts.map(({ index = 0 }) => index),
    },
  );
}

function coversAllRows(parts: readonly RowsPart[]): boolean {
  const open = [...parts];
  let covered = 0;
  while (open.length > 0) {
    const first = open.find(({ range }) => range.base === covered);
    if (first === undefined) return false;
    const { base, modulo } = first.range;
    const ring = open.filter(({ range }) => range.base === base && range.modulo === modulo);
    const turnTogether = ring.every(
      ({ start, index = 0 }) => start.id === first.start.id && index === (first.index ?? 0),
    );
    const offsets = new Set(
      ring.flatMap(({ range: { offset, count } }) =>
        Array.from({ length: count }, (_, i) => (offset + i) % modulo),
      ),
    );
    const rows = ring.reduce((total, { range }) => total + range.count, 0);
    if (!turnTogether || offsets.size !== modulo || rows !== modulo) return false;
    for (const part of ring) open.splice(open.indexOf(part), 1);
    covered += modulo;
  }
  return true;
}

/** base with `part` added at a cyclic range of its rows. */
export function addRows(base: Tensor, part: Tensor, start: Tensor, options: RowsOptions): Tensor {
  const { range, index = 0 } = options;
  return base.builder.append("addRows", [base, part, start], { index, range });
}

/** The window of every feature map whose origin is read from an int32 vector. */
export const crop = (x: Tensor, origin: Tensor, window: WindowAttributes): Tensor =>
  x.builder.append("crop", [x, origin], window);

/** base with `part` added at the window. */
export const addCrop = (
  base: Tensor,
  part: Tensor,
  origin: Tensor,
  window: WindowAttributes,
): Tensor => base.builder.append("addCrop", [base, part, origin], window);

/** −log softmax(logits)[label] of every row: [N, K], int32 [N] → [N]. Labels must lie in 0 … K − 1. */
export const softmaxCrossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  logits.builder.append("softmaxCrossEntropy", [logits, labels], {});

/**
 * `result`, differentiated by `vjp` in place of its own derivative: from ∂L/∂result it computes
 * ∂L/∂inputs (undefined where there is none). What `result` was made of gets no other gradient through it.
 */
export function customGradient(
  result: Tensor,
  inputs: readonly Tensor[],
  vjp: VectorJacobianProduct,
): Tensor {
  return result.builder.setCustomGradient(result, inputs, vjp);
}

/** x as a constant: no gradient passes. */
export const stopGradient = (x: Tensor): Tensor => customGradient(x, [], () => []);
