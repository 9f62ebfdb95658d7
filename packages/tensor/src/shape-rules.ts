// Shape rules: the shape and dtype of each primitive's result, and the checks of its operands.

import { checkIntegers } from "./integers.ts";
import type {
  Attributes,
  ConvolutionAttributes,
  PoolingAttributes,
  Primitive,
  RowRange,
  WindowAttributes,
} from "./primitives.ts";
import { broadcastShapes, type DType, type Shape, sameShape, showShape, sizeOf } from "./shape.ts";

/** Shape and dtype of a value. */
export interface ValueType {
  readonly shape: Shape;
  readonly dtype: DType;
}

type ShapeRule<P extends Primitive> = (
  inputs: readonly ValueType[],
  attributes: Attributes[P],
) => ValueType;

function fail(where: string, what: string): never {
  throw new RangeError(`${where}: ${what}`);
}

function operand(inputs: readonly ValueType[], index: number, where: string): ValueType {
  const value = inputs[index];
  if (value === undefined) throw new TypeError(`${where}: operand ${index + 1} is missing`);
  return value;
}

function floatOperands(where: string, inputs: readonly ValueType[], count: number): void {
  for (let i = 0; i < count; i++) {
    if (operand(inputs, i, where).dtype !== "float32") {
      throw new TypeError(`${where}: operand ${i + 1} is int32; it must be float32`);
    }
  }
}

const float = (shape: Shape): ValueType => ({ shape, dtype: "float32" });

const same = (where: string) => (inputs: readonly ValueType[]) => {
  floatOperands(where, inputs, 1);
  return float(operand(inputs, 0, where).shape);
};

const binary = (where: string) => (inputs: readonly ValueType[]) => {
  floatOperands(where, inputs, 2);
  return float(
    broadcastShapes(where, operand(inputs, 0, where).shape, operand(inputs, 1, where).shape),
  );
};

/** The number of channels of [N, C] or [N, C, H, W]. */
function channelsOf(where: string, shape: Shape): number {
  if (shape.length !== 2 && shape.length !== 4) {
    fail(where, `shape ${showShape(shape)} is neither [N, C] nor [N, C, H, W]`);
  }
  return shape[1] as number;
}

function expectShape(where: string, what: string, shape: Shape, expected: Shape): void {
  if (!sameShape(shape, expected)) {
    fail(where, `${what} is ${showShape(shape)}; it must be ${showShape(expected)}`);
  }
}

function rank4(
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
function pooled(
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

function checkRange(where: string, range: RowRange, total: number): void {
  const { base, modulo, offset, count } = range;
  const whole = [base, modulo, offset, count].every(Number.isInteger);
  if (!whole || base < 0 || offset < 0 || count < 1 || count > modulo || base + modulo > total) {
    fail(
      where,
      `the range ${JSON.stringify(range)} does not lie in ${total} rows; it needs 1 <= count <= modulo and base + modulo <= rows`,
    );
  }
}

function startOperand(where: string, start: ValueType, index: number, values: number): void {
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
function checkWindow(where: string, { stride, offset }: WindowAttributes): void {
  if (!stride.every((value) => Number.isInteger(value) && value >= 1)) {
    fail(where, `stride ${showShape(stride)} must be whole numbers >= 1`);
  }
  if (!offset.every(Number.isInteger)) {
    fail(where, `offset ${showShape(offset)} must be whole numbers`);
  }
}

/** Every axis of `x` placed at start + i·stride must lie inside `outer`. */
function inside(where: string, inner: Shape, start: Shape, stride: Shape, outer: Shape): void {
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

export const shapeRules: { readonly [P in Primitive]: ShapeRule<P> } = {
  input: (_, { shape, dtype }) => ({ shape, dtype }),
  state: (_, { shape }) => float(shape),
  constant(_, { values, shape, dtype }) {
    if (typeof values !== "number" && values.length !== sizeOf(shape)) {
      fail("constant", `${values.length} values do not fill shape ${showShape(shape)}`);
    }
    if (dtype === "int32") {
      checkIntegers("constant", typeof values === "number" ? [values] : values);
    }
    return { shape, dtype };
  },
  add: binary("add"),
  subtract: binary("subtract"),
  multiply: binary("multiply"),
  divide: binary("divide"),
  sqrt: same("sqrt"),
  relu: same("relu"),
  reluGrad(inputs) {
    floatOperands("reluGrad", inputs, 2);
    const { shape } = operand(inputs, 1, "reluGrad");
    expectShape("reluGrad", "g", operand(inputs, 0, "reluGrad").shape, shape);
    return float(shape);
  },
  reshape(inputs, { shape }) {
    const x = operand(inputs, 0, "reshape");
    if (sizeOf(x.shape) !== sizeOf(shape)) {
      fail(
        "reshape",
        `${showShape(x.shape)} and ${showShape(shape)} have different numbers of elements`,
      );
    }
    return { shape, dtype: x.dtype };
  },
  broadcast(inputs, { shape }) {
    floatOperands("broadcast", inputs, 1);
    const x = operand(inputs, 0, "broadcast").shape;
    expectShape("broadcast", "the result", shape, broadcastShapes("broadcast", x, shape));
    return float(shape);
  },
  sum(inputs, { axes }) {
    floatOperands("sum", inputs, 1);
    const { shape } = operand(inputs, 0, "sum");
    if (!axes.every((axis) => Number.isInteger(axis) && axis >= 0 && axis < shape.length)) {
      fail("sum", `axes ${showShape(axes)} are not all axes of ${showShape(shape)}`);
    }
    if (new Set(axes).size < axes.length) fail("sum", `axes ${showShape(axes)} occur twice`);
    return float(shape.filter((_, axis) => !axes.includes(axis)));
  },
  slice(inputs, { start, stride, shape }) {
    floatOperands("slice", inputs, 1);
    inside("slice", shape, start, stride, operand(inputs, 0, "slice").shape);
    return float(shape);
  },
  pad(inputs, { before, interior, shape }) {
    floatOperands("pad", inputs, 1);
    inside("pad", operand(inputs, 0, "pad").shape, before, interior, shape);
    return float(shape);
  },
  matmul(inputs, { transposeA, transposeB }) {
    floatOperands("matmul", inputs, 2);
    const a = operand(inputs, 0, "matmul").shape;
    const b = operand(inputs, 1, "matmul").shape;
    if (a.length !== 2 || b.length !== 2) {
      fail("matmul", `${showShape(a)} and ${showShape(b)} must both have 2 axes`);
    }
    const [m, k] = (transposeA ? [a[1], a[0]] : a) as [number, number];
    const [l, n] = (transposeB ? [b[1], b[0]] : b) as [number, number];
    if (k !== l) {
      fail(
        "matmul",
        `the inner sizes of ${showShape(a)}${transposeA ? "ᵀ" : ""} and ${showShape(b)}${transposeB ? "ᵀ" : ""} differ: ${k} and ${l}`,
      );
    }
    return float([m, n]);
  },
  conv2d(inputs, attributes) {
    floatOperands("conv2d", inputs, 2 + Number(attributes.bias) + Number(attributes.residual));
    const w = operand(inputs, 1, "conv2d").shape;
    const shape = convolved("conv2d", operand(inputs, 0, "conv2d").shape, w, attributes);
    if (attributes.bias) {
      expectShape("conv2d", "the bias", operand(inputs, 2, "conv2d").shape, [shape[1] as number]);
    }
    if (attributes.residual) {
      const residual = operand(inputs, attributes.bias ? 3 : 2, "conv2d");
      expectShape("conv2d", "the residual", residual.shape, shape);
    }
    return float(shape);
  },
  conv2dInputGrad(inputs, attributes) {
    floatOperands("conv2dInputGrad", inputs, 2);
    const w = operand(inputs, 1, "conv2dInputGrad").shape;
    const expected = convolved("conv2dInputGrad", attributes.shape, w, attributes);
    expectShape("conv2dInputGrad", "g", operand(inputs, 0, "conv2dInputGrad").shape, expected);
    return float(attributes.shape);
  },
  conv2dWeightGrad(inputs, attributes) {
    floatOperands("conv2dWeightGrad", inputs, 2);
    const x = operand(inputs, 0, "conv2dWeightGrad").shape;
    const expected = convolved("conv2dWeightGrad", x, attributes.shape, attributes);
    expectShape("conv2dWeightGrad", "g", operand(inputs, 1, "conv2dWeightGrad").shape, expected);
    return float(attributes.shape);
  },
  maxPool(inputs, attributes) {
    floatOperands("maxPool", inputs, 1);
    return float(pooled("maxPool", operand(inputs, 0, "maxPool").shape, attributes));
  },
  maxPoolGrad(inputs, attributes) {
    floatOperands("maxPoolGrad", inputs, 2);
    const { shape } = operand(inputs, 1, "maxPoolGrad");
    const expected = pooled("maxPoolGrad", shape, attributes);
    expectShape("maxPoolGrad", "g", operand(inputs, 0, "maxPoolGrad").shape, expected);
    return float(shape);
  },
  moments(inputs) {
    floatOperands("moments", inputs, 1);
    return float([2, channelsOf("moments", operand(inputs, 0, "moments").shape)]);
  },
  normalize(inputs, { residual }) {
    floatOperands("normalize", inputs, 4 + Number(residual));
    const { shape } = operand(inputs, 0, "normalize");
    const c = channelsOf("normalize", shape);
    for (const [i, what] of ["mean", "scale", "shift"].entries()) {
      expectShape("normalize", what, operand(inputs, i + 1, "normalize").shape, [c]);
    }
    if (residual) {
      expectShape("normalize", "the residual", operand(inputs, 4, "normalize").shape, shape);
    }
    return float(shape);
  },
  normalizeGradSums(inputs) {
    const where = "normalizeGradSums";
    floatOperands(where, inputs, 3);
    const { shape } = operand(inputs, 1, where);
    const c = channelsOf(where, shape);
    expectShape(where, "g", operand(inputs, 0, where).shape, shape);
    expectShape(where, "mean", operand(inputs, 2, where).shape, [c]);
    return float([2, c]);
  },
  normalizeInputGrad(inputs) {
    const where = "normalizeInputGrad";
    floatOperands(where, inputs, 6);
    const { shape } = operand(inputs, 1, where);
    const c = channelsOf(where, shape);
    expectShape(where, "g", operand(inputs, 0, where).shape, shape);
    for (let i = 2; i < 6; i++) {
      expectShape(where, `operand ${i + 1}`, operand(inputs, i, where).shape, [c]);
    }
    return float(shape);
  },
  rows(inputs, { index, range }) {
    const x = operand(inputs, 0, "rows");
    startOperand("rows", operand(inputs, 1, "rows"), index, 1);
    checkRange("rows", range, x.shape[0] ?? 0);
    return { shape: [range.count, ...x.shape.slice(1)], dtype: x.dtype };
  },
  joinRows(inputs, { indices, ranges }) {
    const parts = inputs.slice(0, ranges.length);
    floatOperands("joinRows", inputs, ranges.length);
    const rest = operand(inputs, 0, "joinRows").shape.slice(1);
    const total = ranges.reduce((rows, range) => rows + range.count, 0);
    for (const [i, range] of ranges.entries()) {
      checkRange("joinRows", range, total);
      expectShape("joinRows", `part ${i + 1}`, parts[i]?.shape ?? [], [range.count, ...rest]);
      startOperand(
        "joinRows",
        operand(inputs, ranges.length + i, "joinRows"),
        indices[i] as number,
        1,
      );
    }
    return float([total, ...rest]);
  },
  addRows(inputs, { index, range }) {
    floatOperands("addRows", inputs, 2);
    const { shape } = operand(inputs, 0, "addRows");
    checkRange("addRows", range, shape[0] ?? 0);
    const part = operand(inputs, 1, "addRows").shape;
    expectShape("addRows", "the part", part, [range.count, ...shape.slice(1)]);
    startOperand("addRows", operand(inputs, 2, "addRows"), index, 1);
    return float(shape);
  },
  crop(inputs, window) {
    const { index, height, width } = window;
    floatOperands("crop", inputs, 1);
    checkWindow("crop", window);
    const [n, c] = rank4("crop", "the input", operand(inputs, 0, "crop").shape);
    startOperand("crop", operand(inputs, 1, "crop"), index, 2);
    return float([n, c, height, width]);
  },
  addCrop(inputs, window) {
    const { index, height, width } = window;
    floatOperands("addCrop", inputs, 2);
    checkWindow("addCrop", window);
    const { shape } = operand(inputs, 0, "addCrop");
    const [n, c] = rank4("addCrop", "the base", shape);
    expectShape("addCrop", "the part", operand(inputs, 1, "addCrop").shape, [n, c, height, width]);
    startOperand("addCrop", operand(inputs, 2, "addCrop"), index, 2);
    return float(shape);
  },
  softmaxCrossEntropy(inputs) {
    floatOperands("softmaxCrossEntropy", inputs, 1);
    return float([checkLogits("softmaxCrossEntropy", inputs)]);
  },
  softmaxCrossEntropyGrad(inputs) {
    const where = "softmaxCrossEntropyGrad";
    floatOperands(where, inputs, 1);
    const n = checkLogits(where, inputs);
    expectShape(where, "g", operand(inputs, 2, where).shape, [n]);
    return float(operand(inputs, 0, where).shape);
  },
};

function checkLogits(where: string, inputs: readonly ValueType[]): number {
  const { shape } = operand(inputs, 0, where);
  const labels = operand(inputs, 1, where);
  if (shape.length !== 2) fail(where, `the logits are ${showShape(shape)}; they must be [N, K]`);
  if (labels.dtype !== "int32") throw new TypeError(`${where}: the labels must be int32`);
  expectShape(where, "the shape of the labels", labels.shape, [shape[0] as number]);
  return shape[0] as number;
}
