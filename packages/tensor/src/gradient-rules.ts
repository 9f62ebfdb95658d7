// Gradient rules: from ∂L/∂y of a primitive's result, ∂L/∂x of each operand.

import type { Tensor } from "./graph.ts";
import * as ops from "./ops.ts";
import type { ConvolutionAttributes, NodeOf, Primitive } from "./primitives.ts";
import { type Shape, sameShape } from "./shape.ts";

/** What a rule works from: the operands x, the result y, g = ∂L/∂y and the node. */
interface RuleContext<P extends Primitive> {
  readonly node: NodeOf<P>;
  readonly x: readonly Tensor[];
  readonly y: Tensor;
  readonly g: Tensor;
}

/** ∂L/∂x of each operand, computed when asked for; a missing one has no gradient. */
type Rule<P extends Primitive> = (
  context: RuleContext<P>,
) => readonly ((() => Tensor) | undefined)[];

const at = (tensors: readonly Tensor[], index: number): Tensor => tensors[index] as Tensor;

/** The transpose of broadcasting: sums g down to `shape`. */
function unbroadcast(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  const missing = g.shape.length - shape.length;
  const axes = g.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < missing || (shape[axis - missing] === 1 && g.shape[axis] !== 1));
  return ops.reshape(ops.sum(g, axes), shape);
}

const zeros = (like: Tensor): Tensor => like.builder.constant(0, like.shape);

function notDifferentiable(op: Primitive): never {
  throw new Error(
    `grad: ${op} has no gradient rule; differentiate a composition of other primitives instead`,
  );
}

export const gradientRules: { readonly [P in Primitive]: Rule<P> } = {
  input: () => [],
  state: () => [],
  constant: () => [],
  add: ({ x, g }) => [0, 1].map((i) => () => unbroadcast(g, at(x, i).shape)),
  subtract: ({ x, g }) => [
    () => unbroadcast(g, at(x, 0).shape),
    () => unbroadcast(ops.multiply(g, -1), at(x, 1).shape),
  ],
  multiply: ({ x, g }) => [
    () => unbroadcast(ops.multiply(g, at(x, 1)), at(x, 0).shape),
    () => unbroadcast(ops.multiply(g, at(x, 0)), at(x, 1).shape),
  ],
  // y = a/b: ∂a = g/b, ∂b = −g·y/b
  divide: ({ x, y, g }) => [
    () => unbroadcast(ops.divide(g, at(x, 1)), at(x, 0).shape),
    () => unbroadcast(ops.multiply(ops.divide(ops.multiply(g, y), at(x, 1)), -1), at(x, 1).shape),
  ],
  sqrt: ({ y, g }) => [() => ops.divide(ops.multiply(g, 0.5), y)],
  relu: ({ y, g }) => [() => ops.reluGrad(g, y)],
  reluGrad: ({ x, g }) => [() => ops.reluGrad(g, at(x, 1)), undefined],
  reshape: ({ x, g }) => [() => ops.reshape(g, at(x, 0).shape)],
  broadcast: ({ x, g }) => [() => unbroadcast(g, at(x, 0).shape)],
  sum: ({ node, x, g }) => [
    () => {
      const { shape } = at(x, 0);
      const kept = shape.map((length, axis) => (node.attributes.axes.includes(axis) ? 1 : length));
      return ops.broadcast(ops.reshape(g, kept), shape);
    },
  ],
  slice: ({ node: { attributes }, x, g }) => [
    () =>
      ops.pad(g, {
        before: attributes.start,
        interior: attributes.stride,
        shape: at(x, 0).shape,
      }),
  ],
  pad: ({ node: { attributes }, x, g }) => [
    () =>
      ops.slice(g, {
        start: attributes.before,
        stride: attributes.interior,
        shape: at(x, 0).shape,
      }),
  ],
  // C = A'·B': ∂A' = g·B'ᵀ, ∂B' = A'ᵀ·g
  matmul: ({ node: { attributes }, x, g }) => {
    const { transposeA: ta, transposeB: tb } = attributes;
    const [a, b] = [at(x, 0), at(x, 1)];
    return [
      () =>
        ta
          ? ops.matmul(b, g, { transposeA: tb, transposeB: true })
          : ops.matmul(g, b, { transposeB: !tb }),
      () =>
        tb
          ? ops.matmul(g, a, { transposeA: true, transposeB: ta })
          : ops.matmul(a, g, { transposeA: !ta }),
    ];
  },
  conv2d: ({ node: { attributes }, x, y, g }) => {
    const { bias, residual, relu } = attributes;
    const masked = () => (relu ? ops.reluGrad(g, y) : g);
    const rules: (() => Tensor)[] = [
      () => inputGrad(masked(), at(x, 1), at(x, 0).shape, attributes),
      () => weightGrad(at(x, 0), masked(), at(x, 1).shape, attributes),
    ];
    if (bias) rules.push(() => ops.sumChannels(masked()));
    if (residual) rules.push(masked);
    return rules;
  },
  // Linear in each operand, and the transposes of each other.
  conv2dInputGrad: ({ node: { attributes }, x, g }) => [
    () => ops.conv2d(g, at(x, 1), geometryOf(attributes)),
    () => weightGrad(g, at(x, 0), at(x, 1).shape, attributes),
  ],
  conv2dWeightGrad: ({ node: { attributes }, x, g }) => [
    () => inputGrad(at(x, 1), g, at(x, 0).shape, attributes),
    () => ops.conv2d(at(x, 0), g, geometryOf(attributes)),
  ],
  maxPool: ({ node: { attributes }, x, g }) => [
    () => g.builder.append("maxPoolGrad", [g, at(x, 0)], attributes),
  ],
  maxPoolGrad: () => notDifferentiable("maxPoolGrad"),
  // ∂x = (∂mean + 2·(x − mean)·∂variance)/m
  moments: ({ x, y, g }) => [
    () => {
      const [x0] = x as [Tensor];
      const [, c = 1] = x0.shape;
      const m = x0.shape.reduce((size, length) => size * length, 1) / c;
      return ops.normalize(
        x0,
        ops.row(y, 0),
        ops.multiply(ops.row(g, 1), 2 / m),
        ops.multiply(ops.row(g, 0), 1 / m),
      );
    },
  ],
  // y = act((x − mean)·scale + shift + residual)
  normalize: ({ node: { attributes }, x, y, g }) => {
    const [x0, mean, scale] = x as [Tensor, Tensor, Tensor];
    const masked = () => (attributes.relu ? ops.reluGrad(g, y) : g);
    const sums = (index: number) => ops.row(ops.normalizeGradSums(masked(), x0, mean), index);
    const rules: (() => Tensor)[] = [
      () => ops.scaleChannels(masked(), scale),
      () => ops.multiply(ops.multiply(scale, sums(0)), -1),
      () => sums(1),
      () => sums(0),
    ];
    if (attributes.residual) rules.push(masked);
    return rules;
  },
  // y = [Σ g₀, Σ g₀·(x − mean)], with g here the gradient of y
  normalizeGradSums: ({ x, g }) => {
    const [g0, x0, mean] = x as [Tensor, Tensor, Tensor];
    return [
      () => ops.normalize(x0, mean, ops.row(g, 1), ops.row(g, 0)),
      () => ops.scaleChannels(g0, ops.row(g, 1)),
      () => ops.multiply(ops.multiply(ops.row(g, 1), ops.sumChannels(g0)), -1),
    ];
  },
  // y = g₀·gScale + (x − mean)·xScale + shift
  normalizeInputGrad: ({ x, g }) => {
    const [g0, x0, gScale, mean, xScale] = x as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const sums = (of: Tensor, from: Tensor, index: number) =>
      ops.row(ops.normalizeGradSums(g, of, from), index);
    return [
      () => ops.scaleChannels(g, gScale),
      () => ops.scaleChannels(g, xScale),
      () => sums(g0, zeros(mean), 1),
      () => ops.multiply(ops.multiply(xScale, sums(x0, mean, 0)), -1),
      () => sums(x0, mean, 1),
      () => sums(x0, mean, 0),
    ];
  },
  rows: ({ node: { attributes }, x, g }) => [
    () => ops.addRows(zeros(at(x, 0)), g, at(x, 1), attributes),
    undefined,
  ],
  joinRows: ({ node: { attributes }, x, g }) => {
    const parts = attributes.ranges.length;
    return attributes.ranges.map(
      (range, i) => () =>
        ops.rows(g, at(x, parts + i), { range, index: attributes.indices[i] as number }),
    );
  },
  addRows: ({ node: { attributes }, x, g }) => [
    () => g,
    () => ops.rows(g, at(x, 2), attributes),
    undefined,
  ],
  crop: ({ node: { attributes }, x, g }) => [
    () => ops.addCrop(zeros(at(x, 0)), g, at(x, 1), attributes),
    undefined,
  ],
  addCrop: ({ node: { attributes }, x, g }) => [
    () => g,
    () => ops.crop(g, at(x, 2), attributes),
    undefined,
  ],
  softmaxCrossEntropy: ({ x, g }) => [
    () => g.builder.append("softmaxCrossEntropyGrad", [at(x, 0), at(x, 1), g], {}),
    undefined,
  ],
  softmaxCrossEntropyGrad: () => notDifferentiable("softmaxCrossEntropyGrad"),
};

/** Stride, padding and groups alone. */
const geometryOf = ({ stride, padding, groups }: ConvolutionAttributes): ConvolutionAttributes => ({
  stride,
  padding,
  groups,
});

function inputGrad(g: Tensor, w: Tensor, shape: Shape, like: ConvolutionAttributes): Tensor {
  return g.builder.append("conv2dInputGrad", [g, w], { ...geometryOf(like), shape });
}

function weightGrad(x: Tensor, g: Tensor, shape: Shape, like: ConvolutionAttributes): Tensor {
  return x.builder.append("conv2dWeightGrad", [x, g], { ...geometryOf(like), shape });
}
