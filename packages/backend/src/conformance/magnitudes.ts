// How far rounding can carry a result from the exact one. Beside every value of a graph goes its
// magnitude: what the same operations give when every number is replaced by its absolute value, so
// that nothing cancels. A value that is the sum of k products, computed in any order with rounding
// unit u, is off by about √k · u · magnitude (Higham & Mary, "A New Approach to Probabilistic
// Rounding Error Analysis", SISC 2019), and magnitudes and counts propagate through further operations.

import {
  add,
  broadcast,
  type ConvolutionAttributes,
  divide,
  multiply,
  type NodeOf,
  type PoolingAttributes,
  type Primitive,
  pad,
  relu,
  reshape,
  row,
  type Shape,
  sizeOf,
  subtract,
  sum,
  type Tensor,
} from "@fewnorm/tensor";

/** What a magnitude is computed from. */
export interface MagnitudeContext<P extends Primitive> {
  readonly node: NodeOf<P>;
  /** The operands. */
  readonly x: readonly Tensor[];
  /** The operands' magnitudes; int32 operands stand for themselves. */
  readonly m: readonly Tensor[];
  /** The result. */
  readonly y: Tensor;
  /** Whether the operands carry no rounding error. */
  readonly exact: boolean;
  /** The rounding unit: 2^-24 or 2^-53. */
  readonly unit: number;
}

/** The number of roundings that meet in each element of the result, and the result's magnitude. */
type MagnitudeRule<P extends Primitive> = (context: MagnitudeContext<P>) => {
  readonly terms: number;
  readonly magnitude: Tensor;
};

/** The safety factor on √k · u · magnitude: room for every order of summation. */
export const safety = 8;

/** |x|, in primitives. */
export const absolute = (x: Tensor): Tensor => add(relu(x), relu(multiply(x, -1)));

const at = (tensors: readonly Tensor[], index: number): Tensor => tensors[index] as Tensor;

/** Primitives without negative coefficients: the magnitude is the result of the operands' magnitudes. */
const monotone =
  <P extends Primitive>(
    terms: (node: NodeOf<P>, x: readonly Tensor[]) => number,
  ): MagnitudeRule<P> =>
  ({ node, x, m }) => ({
    terms: terms(node, x),
    magnitude: at(m, 0).builder.append(node.op, m, node.attributes),
  });

const leaf: MagnitudeRule<"input" | "state"> = ({ y }) => ({
  terms: 0,
  magnitude: y.dtype === "int32" ? y : absolute(y),
});

/**
 * What Winograd's transforms F(4×4, 3×3) may add: they mix a tile's values with coefficients up to 8
 * before and after the sum, which a short sum feels most (Barabasz et al., "Error Analysis and
 * Improving the Accuracy of Winograd Convolution for Deep Neural Networks", TOMS 2020). An error of
 * 8 · √128 · u, some 90 u, of the magnitude covers them.
 */
function transformTerms(weight: Shape, { stride }: ConvolutionAttributes): number {
  const [, , kh, kw] = weight;
  return kh === 3 && kw === 3 && stride[0] === 1 && stride[1] === 1 ? 128 : 0;
}

/** Values a channel of [N, C] or [N, C, H, W]. */
const perChannel = (shape: Shape): number => sizeOf(shape) / (shape[1] as number);

export const magnitudeRules: { readonly [P in Primitive]: MagnitudeRule<P> } = {
  input: leaf,
  state: leaf,
  constant: ({ node: { attributes }, y }) => ({
    terms: isExact(attributes.values) ? 0 : 1,
    magnitude: y.dtype === "int32" ? y : absolute(y),
  }),
  add: monotone(() => 1),
  subtract: ({ m }) => ({ terms: 1, magnitude: add(at(m, 0), at(m, 1)) }),
  multiply: monotone(() => 1),
  // |∂(a/b)| ≤ |∂a|/|b| + |a|·|∂b|/b²
  divide: ({ x, m }) => ({
    terms: 1,
    magnitude: divide(multiply(at(m, 0), at(m, 1)), multiply(at(x, 1), at(x, 1))),
  }),
  // |∂√x| = |∂x|/(2·√x)
  sqrt: ({ m, y, exact }) => ({ terms: 1, magnitude: exact ? y : divide(at(m, 0), y) }),
  relu: ({ m }) => ({ terms: 0, magnitude: at(m, 0) }),
  // Continuous in g only: y must not be near 0 by accident of rounding.
  reluGrad: ({ node, x, m, y }) => ({
    terms: 0,
    magnitude: y.builder.append("reluGrad", [at(m, 0), at(x, 1)], node.attributes),
  }),
  reshape: monotone(() => 0),
  broadcast: monotone(() => 0),
  sum: monotone((node, x) => sizeOf(at(x, 0).shape) / sizeOf(node.shape)),
  slice: monotone(() => 0),
  pad: monotone(() => 0),
  matmul: monotone(({ attributes }, x) => at(x, 0).shape[attributes.transposeA ? 0 : 1] as number),
  conv2d({ node: { attributes }, x, m, y }) {
    const [, i = 1, kh = 1, kw = 1] = at(x, 1).shape;
    return {
      terms:
        i * kh * kw +
        Number(attributes.bias) +
        Number(attributes.residual) +
        transformTerms(at(x, 1).shape, attributes),
      magnitude: y.builder.append("conv2d", m, { ...attributes, relu: false }),
    };
  },
  conv2dInputGrad: monotone(({ attributes }, x) => {
    const [o = 1, , kh = 1, kw = 1] = at(x, 1).shape;
    return (o / attributes.groups) * kh * kw + transformTerms(at(x, 1).shape, attributes);
  }),
  conv2dWeightGrad: monotone(
    ({ attributes, shape }, x) => perChannel(at(x, 1).shape) + transformTerms(shape, attributes),
  ),
  // The largest is off by no more than the value of its window that is off the most.
  maxPool: monotone(() => 0),
  // Continuous in g only: x must not have equal values by accident of rounding.
  maxPoolGrad: ({ node, x, m, y }) => ({
    terms: windowsOver(node.attributes),
    magnitude: y.builder.append("maxPoolGrad", [at(m, 0), at(x, 1)], node.attributes),
  }),
  moments({ x, m, y, exact, unit }) {
    const [x0, m0] = [at(x, 0), at(m, 0)];
    const [, c = 1] = x0.shape;
    const terms = perChannel(x0.shape);
    const mean = row(y.builder.append("moments", [m0], {}), 0);
    // The variance about a mean that is off by δ is too large by δ², with δ = safety·√k·u·E|x|.
    const shifted = multiply(multiply(mean, mean), safety * Math.sqrt(terms) * unit);
    const own = add(row(y, 1), shifted);
    // Errors of the operand: |∂σ²| ≤ 2·E[|x − μ|·|∂x|].
    const variance = exact ? own : add(own, multiply(momentOf(x0, m0, row(y, 0)), 2));
    const stacked = (vector: Tensor, index: number) =>
      pad(reshape(vector, [1, c]), { before: [index, 0], shape: [2, c] });
    return { terms, magnitude: add(stacked(mean, 0), stacked(variance, 1)) };
  },
  normalize({ node: { attributes }, m, y }) {
    return {
      terms: 4,
      magnitude: y.builder.append("normalize", withNegative(m, 1), { ...attributes, relu: false }),
    };
  },
  normalizeGradSums: ({ node, x, m, y }) => ({
    terms: 1 + perChannel(at(x, 1).shape),
    magnitude: y.builder.append("normalizeGradSums", withNegative(m, 2), node.attributes),
  }),
  normalizeInputGrad: ({ node, m, y }) => ({
    terms: 4,
    magnitude: y.builder.append("normalizeInputGrad", withNegative(m, 3), node.attributes),
  }),
  rows: monotone(() => 0),
  joinRows: monotone(() => 0),
  addRows: monotone(() => 1),
  crop: monotone(() => 0),
  addCrop: monotone(() => 1),
  // log Σ exp(lₖ − max) and max − l_label are not negative; the exponentials err relatively, which
  // is absolute after the logarithm. An error of the logits comes through at most twice.
  softmaxCrossEntropy({ x, m, y, exact }) {
    const own = add(y, 1);
    return {
      terms: at(x, 0).shape[1] as number,
      magnitude: exact ? own : add(own, multiply(sum(at(m, 0), [1]), 2)),
    };
  },
  // g·(p − onehot) with p <= 1; errors of the logits as above.
  softmaxCrossEntropyGrad({ x, m, exact }) {
    const { shape } = at(x, 0);
    const [n = 1, k = 1] = shape;
    const g = at(m, 2);
    const own = exact ? g : multiply(g, add(multiply(sum(at(m, 0), [1]), 2), 1));
    return { terms: k, magnitude: broadcast(reshape(own, [n, 1]), shape) };
  },
};

/** How many windows a pixel can lie in; 0 if one, since its value is only moved then. */
function windowsOver({ kernel, stride }: PoolingAttributes): number {
  const windows = Math.ceil(kernel[0] / stride[0]) * Math.ceil(kernel[1] / stride[1]);
  return windows === 1 ? 0 : windows;
}

/** E[|x − mean|·m] of each channel. */
function momentOf(x: Tensor, m: Tensor, mean: Tensor): Tensor {
  const shape = x.shape.map((length, axis) => (axis === 1 ? length : 1));
  const distance = absolute(subtract(x, reshape(mean, shape)));
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  return multiply(sum(multiply(distance, m), axes), 1 / perChannel(x.shape));
}

/** The magnitudes with one negated, which the primitive subtracts. */
const withNegative = (m: readonly Tensor[], index: number): Tensor[] =>
  m.map((tensor, i) => (i === index ? multiply(tensor, -1) : tensor));

function isExact(values: number | readonly number[]): boolean {
  return [values].flat().every((value) => Math.fround(value) === value);
}
