// Batch normalization as a layer of its own, with its four gradients (method: "Backward").

import {
  customGradient,
  moments,
  multiply,
  normalize,
  normalizeGradSums,
  reluGrad,
  row,
  type Tensor,
} from "@fewnorm/tensor";
import { blockOf, type LayerPlan } from "./layer-plan.ts";
import type { EpilogueOptions } from "./norm.ts";
import {
  combineMoments,
  detach,
  inverseDeviation,
  type Statistics,
  weighted,
} from "./statistics.ts";

/**
 * How gradients pass through the statistics:
 * `exact`, the derivative of what forward computes; `sampled`, both backward means estimated on the
 * sample and applied everywhere; `sampled-all`, γ's and β's gradients estimated on it as well;
 * `detached`, the statistics as constants.
 */
export type GradientMode = (typeof gradientModes)[number];

/** All of them. */
export const gradientModes = ["exact", "sampled", "sampled-all", "detached"] as const;

/** The affine part of a normalization. */
export interface Affine {
  readonly gamma: Tensor;
  readonly beta: Tensor;
  readonly epsilon: number;
}

/** act(γ·(x − μ)/√(σ² + ε) + β + residual) with statistics of the plan's blocks. */
export function normalizeLayer(
  x: Tensor,
  plan: LayerPlan,
  affine: Affine,
  mode: GradientMode,
  epilogue: EpilogueOptions,
): { y: Tensor; statistics: Statistics } {
  const { gamma, beta, epsilon } = affine;
  const sampled = combineMoments(
    plan,
    plan.blocks.map((block) => moments(blockOf(x, block))),
  );
  const statistics = mode === "detached" ? detach(sampled) : sampled;
  const { mean, variance } = statistics;
  const scale = multiply(gamma, inverseDeviation(variance, epsilon));
  const y = normalize(x, mean, scale, beta, epilogue);
  if (mode === "exact" || mode === "detached") return { y, statistics };

  const { residual, relu = false } = epilogue;
  const inputs = [x, gamma, beta, ...(residual === undefined ? [] : [residual])];
  const result = customGradient(y, inputs, (g) => {
    const masked = relu ? reluGrad(g, y) : g;
    return [...sampledGradients(masked, x, plan, { mean, variance }, affine, mode), masked];
  });
  return { y: result, statistics };
}

/**
 * ∂L/∂x = γ·r·(g − E_S[g] − x̂·E_S[g·x̂]), ∂L/∂γ = Σ_B g·x̂ and ∂L/∂β = Σ_B g; in `sampled-all` the
 * last two are m·E_S[g·x̂] and m·E_S[g].
 */
function sampledGradients(
  g: Tensor,
  x: Tensor,
  plan: LayerPlan,
  statistics: Statistics,
  { gamma, epsilon }: Affine,
  mode: GradientMode,
): [Tensor, Tensor, Tensor] {
  const { mean } = statistics;
  const r = inverseDeviation(statistics.variance, epsilon);
  // E_S[g] and E_S[g·(x − μ)] as the rows of [2, C].
  const sampled = weighted(
    plan,
    plan.blocks.map((block) =>
      multiply(normalizeGradSums(blockOf(g, block), blockOf(x, block), mean), 1 / block.values),
    ),
  );
  const meanG = row(sampled, 0);
  const meanGx = multiply(row(sampled, 1), r);
  const scale = multiply(gamma, r);
  const minus = multiply(scale, -1);
  const xScale = multiply(multiply(minus, meanGx), r);
  const shift = multiply(minus, meanG);
  const dx = x.builder.append("normalizeInputGrad", [g, x, scale, mean, xScale, shift], {});
  if (mode === "sampled-all") {
    const m = x.shape.reduce((size, length) => size * length, 1) / (x.shape[1] ?? 1);
    return [dx, multiply(meanGx, m), multiply(meanG, m)];
  }
  const sums = normalizeGradSums(g, x, mean);
  return [dx, multiply(row(sums, 1), r), row(sums, 0)];
}

/** act(γ·(x − mean)/√(variance + ε) + β + residual) with given statistics: evaluation. */
export function normalizeWith(
  x: Tensor,
  { mean, variance }: Statistics,
  { gamma, beta, epsilon }: Affine,
  epilogue: EpilogueOptions,
): Tensor {
  const scale = multiply(gamma, inverseDeviation(variance, epsilon));
  return normalize(x, mean, scale, beta, epilogue);
}
