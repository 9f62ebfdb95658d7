// What shape rules share: checks of operands and of attributes, and the shapes of windows that move.

import type { Tensor } from "./graph.ts";
import { showValue } from "./options.ts";
import type {
  ConvolutionAttributes,
  PoolingAttributes,
  RowRange,
  WindowAttributes,
} from "./primitives.ts";
import { broadcastShapes, type DType, type Shape, sameShape, showShape } from "./shape.ts";

/** Shape and dtype of a value. */
export interface ValueType {
  readonly shape: Shape;
  readonly dtype: DType;
}
export function fail(where: string, what: string): never {
  throw new RangeError(`${where}: ${what}`);
}

/** @throws TypeError, which begins with `where`, for what is no tensor, such as the values that one could hold. */
export function checkTensor(where: string, value: Tensor | undefined): void {
  if (typeof value?.builder?.append === "function") return;
  throw new TypeError(
    `${where}: ${showValue(value)} is no tensor; give what the builder's input, state or constant makes, or an operation`,
  );
}

export function operand(inputs: readonly ValueType[], index: number, where: string): ValueType {
  const value = inputs[index];
  if (value === undefined) throw new TypeError(`${where}: operand ${index + 1} is missing`);
  return value;
}

export function floatOperands(where: string, inputs: readonly ValueType[], count: number): void {
  for (let i = 0; i < count; i++) {
    if (operand(inputs, i, where).dtype !== "float32") {
      throw new TypeError(`${where}: operand ${i + 1} is int32; it must be float32`);
    }
  }
}

export const float = (shape: Shape): ValueType => ({ shape, dtype: "float32" });

export const same = (where: string) => (inputs: readonly ValueType[]) => {
  floatOperands(where, inputs, 1);
  return float(operand(inputs, 0, where).shape);
};

export const binary = (where: string) => (inputs: readonly ValueType[]) => {
  floatOperands(where, inputs, 2);
  return float(
    broadcastShapes(where, operand(inputs, 0, where).shape, operand(inputs, 1, where).shape),
  );
};

/** The number of channels of [N, C] or [N, C, H, W]. */
export function channelsOf(where: string, shape: Shape): number {
  if (shape.length !== 2 && shape.length !== 4) {
    fail(where, `shape ${showShape(shape)} is neither [N, C] nor [N, C, H, W]`);
  }
  return shape[1] as number;
}

export function expectShape(where: string, what: string, shape: Shape, expected: Shape): void {
  if (!sameShape(shape, expected)) {
    fail(where, `${what} is ${showShape(shape)}; it must be ${showShape(expected)}`);
  }
}

export function rank4(
  where: string,
  what: string,
  shape: Shape,
): readonly [number, number, number, number] {
  if (shape.length !== 4) fail(where, `${what} is ${showShape(shape)}; it must have 4 axes`);
  return shape as unknown as readonly [number, number, number, number];
}

/** The result's shape of a convolution of x with w; the checks common to it and its gradients. */
export function convolved(
  where: string,
  x: Shape,
  w: Shape,
  attributes: ConvolutionAttributes,
): Shape {
  const [n, c, h, width] = rank4(where, "the input", x);
  const [o, i, kh, kw] = rank4(where, "the weight", w);
  const { stride, padding, groups } = attributes;
  if (![...stride, groups].every((value) => Number.isInteger(value) && value >= 1)) {
    fail(where, `stride ${showShape(stride)} and groups ${groups} must be whole numbers >= 1`);
  }
  if (!padding.every((value) => Number.isInteger(value) && value >= 0)) {
    fail(where, `padding ${showShape(padding)} must be whole numbers >= 0`);
  }
  if (c !== i * groups || o % groups !== 0) {
    fail(
      where,
      `${c} input channels and weight ${showShape(w)} do not fit in ${groups} group(s); the weight must be [O, ${c}/groups, kh, kw] with O a multiple of groups`,
    );
  }
  const oh = Math.floor((h + 2 * padding[0] - kh) / stride[0]) + 1;
  const ow = Math.floor((width + 2 * padding[1] - kw) / stride[1]) + 1;
  if (oh < 1 || ow < 1) {
    fail(
      where,
      `a ${kh}x${kw} kernel does not fit in a ${h}x${width} map with padding ${showShape(padding)}; use a smaller kernel or more padding`,
    );
  }
  return [n, o, oh, ow];
}

/** The result's shape of a pooling of x. */
export function pooled(
  where: string,
  x: Shape,
  { kernel, stride, padding }: PoolingAttributes,
): readonly [number, number, number, number] {
  const [n, c, h, w] = rank4(where, "the input", x);
  if (![...kernel, ...stride].every((value) => Number.isInteger(value) && value >= 1)) {
    fail(
      where,
      `kernel ${showShape(kernel)} and stride ${showShape(stride)} must be whole numbers >= 1`,
    );
  }
  const [top, left] = padding;
  if (!padding.every(Number.isInteger) || !inKernel(top, kernel[0]) || !inKernel(left, kernel[1])) {
    fail(
      where,
      `padding ${showShape(padding)} must be whole numbers >= 0, smaller than the kernel ${showShape(kernel)}`,
    );
  }
  const oh = Math.floor((h + 2 * top - kernel[0]) / stride[0]) + 1;
  const ow = Math.floor((w + 2 * left - kernel[1]) / stride[1]) + 1;
  if (oh < 1 || ow < 1) {
    fail(
      where,
      `a ${kernel[0]}x${kernel[1]} window does not fit in a ${h}x${w} map with padding ${showShape(padding)}; use a smaller window or more padding`,
    );
  }
  return [n, c, oh, ow];
}

const inKernel = (padding: number, kernel: number): boolean => padding >= 0 && padding < kernel;

export function checkRange(where: string, range: RowRange, total: number): void {
  const { base, modulo, offset, count } = range;
  const whole = [base, modulo, offset, count].every(Number.isInteger);
  if (!whole || base < 0 || offset < 0 || count < 1 || count > modulo || base + modulo > total) {
    fail(
      where,
      `the range ${JSON.stringify(range)} does not lie in ${total} rows; it needs 1 <= count <= modulo and base + modulo <= rows`,
    );
  }
}

export function startOperand(where: string, start: ValueType, index: number, values: number): void {
  if (start.dtype !== "int32" || start.shape.length !== 1) {
    throw new TypeError(
      `${where}: the start must be an int32 vector, not ${start.dtype} ${showShape(start.shape)}`,
    );
  }
  if (!Number.isInteger(index) || index < 0 || index + values > (start.shape[0] as number)) {
    fail(where, `index ${index} lies outside the start vector ${showShape(start.shape)}`);
  }
}

/** The window's origin is a whole number of pixels, and origins are apart. */
export function checkWindow(where: string, { stride, offset }: WindowAttributes): void {
  if (!stride.every((value) => Number.isInteger(value) && value >= 1)) {
    fail(where, `stride ${showShape(stride)} must be whole numbers >= 1`);
  }
  if (!offset.every(Number.isInteger)) {
    fail(where, `offset ${showShape(offset)} must be whole numbers`);
  }
}

/** Every axis of `x` placed at start + i·stride must lie inside `outer`. */
export function inside(
  where: string,
  inner: Shape,
  start: Shape,
  stride: Shape,
  outer: Shape,
): void {
  const fits =
    [start, stride, outer].every((list) => list.length === inner.length) &&
    inner.every((length, axis) => {
      const first = start[axis] as number;
      const step = stride[axis] as number;
      const whole = Number.isInteger(first) && Number.isInteger(step);
      return (
        whole && first >= 0 && step >= 1 && first + (length - 1) * step < (outer[axis] as number)
      );
    });
  if (!fits) {
    fail(
      where,
      `${showShape(inner)} from ${showShape(start)} with stride ${showShape(stride)} does not lie in ${showShape(outer)}`,
    );
  }
}

export function checkLogits(where: string, inputs: readonly ValueType[]): number {
  const { shape } = operand(inputs, 0, where);
  const labels = operand(inputs, 1, where);
  if (shape.length !== 2) fail(where, `the logits are ${showShape(shape)}; they must be [N, K]`);
  if (labels.dtype !== "int32") throw new TypeError(`${where}: the labels must be int32`);
  expectShape(where, "the shape of the labels", labels.shape, [shape[0] as number]);
  return shape[0] as number;
}
