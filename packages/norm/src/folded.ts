// Batch normalization folded into the convolution before it (method: "Folding").

import {
  type Conv2dOptions,
  conv2d,
  crop,
  joinRows,
  moments,
  multiply,
  normalize,
  pair,
  type RowsPart,
  reshape,
  rows,
  type Shape,
  sizeOf,
  subtract,
  type Tensor,
} from "@fewnorm/tensor";
import type { Block, LayerPlan } from "./layer-plan.ts";
import type { EpilogueOptions } from "./norm.ts";
import type { Affine } from "./normalize-layer.ts";
import { combineMoments, detach, inverseDeviation, type Statistics } from "./statistics.ts";

/** The flops of a convolution that take about as long as to read or write one element. */
const FLOPS_PER_ELEMENT = 16;

type Geometry = Pick<Conv2dOptions, "stride" | "padding" | "groups">;

/** A convolution waiting for its epilogue. */
export interface Convolution {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly bias?: Tensor | undefined;
  readonly geometry: Geometry;
}

/** x ∗ weight + bias. */
export const convolve = ({ x, weight, bias, geometry }: Convolution): Tensor =>
  conv2d(x, weight, { ...geometry, bias });

/**
 * Whether a convolution is cheaper folded than followed by a normalization of its own; in elements read
 * or written, forward and backward, with factors as measured on processors. A layer of its own passes
 * over the result 6 times. Folding scales the weight and its gradient, and has the weight packed and its
 * gradient summed once more for the sampled rows; and it convolves sampled windows a second time, with
 * 2 flops for a weight and a value, three times over. Deep layers of large networks have more weights than results.
 */
export function foldingPays(weight: Shape, result: Shape, plan?: LayerPlan): boolean {
  const windows = plan?.blocks.filter((block) => block.window !== undefined) ?? [];
  const values = windows.reduce((sum, block) => sum + block.values, 0);
  const flops = 3 * 2 * values * sizeOf(weight);
  return 6 * sizeOf(result) >= 24 * sizeOf(weight) + flops / FLOPS_PER_ELEMENT;
}

/**
 * act(norm(x ∗ weight + bias) + residual). The sampled rows are convolved first and give the statistics;
 * every other row goes through one convolution whose weight and bias already contain the
 * normalization. Differentiating this is the exact gradient; `constant` statistics give `detached`.
 */
export function foldedConvolution(
  convolution: Convolution,
  plan: LayerPlan,
  affine: Affine,
  constant: boolean,
  epilogue: EpilogueOptions,
): { y: Tensor; statistics: Statistics } {
  const { residual, relu = false } = epilogue;
  const { beta } = affine;
  const { x } = convolution;
  const convolved = plan.blocks.map((block) => convolveBlock(convolution, block));
  const sampled = combineMoments(
    plan,
    convolved.map((z) => moments(z)),
  );
  const statistics = constant ? detach(sampled) : sampled;
  const { mean } = statistics;
  const scale = scaleOf(statistics, affine);

  const kept = keptBlocks(plan);
  const parts = kept.map((block): RowsPart => {
    const place = { start: block.origins, range: block.range, index: block.startIndex };
    const z = convolved[plan.blocks.indexOf(block)] as Tensor;
    const skip = residual && rows(residual, place.start, place);
    return { ...place, part: normalize(z, mean, scale, beta, { residual: skip, relu }) };
  });

  const rest = restOf(plan, kept, x);
  const skip = residual && rows(residual, rest.start, rest);
  const others = { ...convolution, x: rows(x, rest.start, rest) };
  const part = scaledConvolution(others, mean, scale, beta, { residual: skip, relu });
  const y = parts.length === 0 ? part : joinRows([...parts, { ...rest, part }]);
  return { y, statistics };
}

/** act(norm(x ∗ weight + bias) + residual) with given statistics, in one convolution: evaluation. */
export function foldedWith(
  convolution: Convolution,
  statistics: Statistics,
  affine: Affine,
  epilogue: EpilogueOptions,
): Tensor {
  const scale = scaleOf(statistics, affine);
  return scaledConvolution(convolution, statistics.mean, scale, affine.beta, epilogue);
}

const scaleOf = ({ variance }: Statistics, { gamma, epsilon }: Affine): Tensor =>
  multiply(gamma, inverseDeviation(variance, epsilon));

/** act((x ∗ weight + bias − mean)·scale + shift + residual), as one convolution. */
function scaledConvolution(
  { x, weight, bias, geometry }: Convolution,
  mean: Tensor,
  scale: Tensor,
  shift: Tensor,
  { residual, relu = false }: EpilogueOptions,
): Tensor {
  const distance = bias === undefined ? mean : subtract(mean, bias);
  return conv2d(x, multiply(weight, reshape(scale, [scale.shape[0] ?? 1, 1, 1, 1])), {
    ...geometry,
    bias: subtract(shift, multiply(scale, distance)),
    residual,
    relu,
  });
}

/** The convolution's results that the block samples; of a window only, from its input with a halo. */
function convolveBlock(convolution: Convolution, block: Block): Tensor {
  const { x, weight, geometry } = convolution;
  const { window, range, origins, startIndex } = block;
  const sampled = rows(x, origins, { range, index: startIndex });
  if (window === undefined) return convolve({ ...convolution, x: sampled });
  const stride = pair(geometry.stride ?? 1, "conv2d", "stride");
  const padding = pair(geometry.padding ?? 0, "conv2d", "padding");
  const [, , kh = 1, kw = 1] = weight.shape;
  const input = crop(sampled, window.origins, {
    index: window.index,
    height: (window.height - 1) * stride[0] + kh,
    width: (window.width - 1) * stride[1] + kw,
    stride,
    offset: [0 - padding[0], 0 - padding[1]],
  });
  return convolve({ ...convolution, x: input, geometry: { ...geometry, padding: 0 } });
}

/**
 * The blocks whose convolved rows are also the result's rows, so that no row is convolved twice:
 * those of whole maps, as long as they are virtual or the only ones of real rows. None when some
 * virtual rows are sampled in a window only, or not at all, since those must go with the rest.
 */
function keptBlocks(plan: LayerPlan): readonly Block[] {
  const leavesOut = ({ real, window, range }: Block) =>
    !real && (window !== undefined || range.count < range.modulo);
  if (plan.blocks.some(leavesOut)) return [];
  const whole = plan.blocks.filter((block) => block.window === undefined);
  const real = whole.filter((block) => block.real && block.range.count < plan.real);
  return whole.filter((block) => !block.real || block === real[0]);
}

/** The rows that no kept block holds, as one range, with their start. */
function restOf(
  plan: LayerPlan,
  kept: readonly Block[],
  x: Tensor,
): Omit<RowsPart, "part"> & { index: number } {
  const { virtual, real } = plan;
  const sampled = kept.find((block) => block.real);
  if (sampled !== undefined) {
    const { count } = sampled.range;
    return {
      start: sampled.origins,
      index: sampled.startIndex,
      range: { base: virtual, modulo: real, offset: count, count: real - count },
    };
  }
  const start = x.builder.constant(0, [1], "int32");
  // Where no block is kept the rest is the whole batch, virtual rows included.
  const base = kept.length > 0 ? virtual : 0;
  const count = virtual + real - base;
  return { start, index: 0, range: { base, modulo: count, offset: 0, count } };
}
