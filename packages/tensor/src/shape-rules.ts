// Shape rules: the shape and dtype of each primitive's result.

import { checkIntegers } from "./integers.ts";
import type { Attributes, Primitive } from "./primitives.ts";
import { broadcastShapes, showShape, sizeOf } from "./shape.ts";
import {
  binary,
  channelsOf,
  checkLogits,
  checkRange,
  checkWindow,
  convolved,
  expectShape,
  fail,
  float,
  floatOperands,
  inside,
  operand,
  pooled,
  rank4,
  same,
  startOperand,
  type ValueType,
} from "./shape-checks.ts";

type ShapeRule<P extends Primitive> = (
  inputs: readonly ValueType[],
  attributes: Attributes[P],
) => ValueType;

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
