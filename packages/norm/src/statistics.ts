// Mean and variance from the sampled blocks, and the running statistics.

import { ones, type Scope, zeros } from "@fewnorm/nn";
import {
  add,
  divide,
  multiply,
  row,
  sqrt,
  stopGradient,
  subtract,
  type Tensor,
} from "@fewnorm/tensor";
import type { LayerPlan } from "./layer-plan.ts";

/** Mean and biased variance of each channel, both [C]. */
export interface Statistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** The mean of the blocks' values `tensors`, weighted by the blocks' shares. */
export function weighted(plan: LayerPlan, tensors: readonly Tensor[]): Tensor {
  return tensors
    .map((tensor, i) => {
      const weight = plan.blocks[i]?.weight ?? 0;
      return weight === 1 ? tensor : multiply(tensor, weight);
    })
    .reduce((a, b) => add(a, b));
}

/**
 * The statistics of the union of blocks from each block's moments [2, C]:
 * μ = Σ w_b·μ_b, σ² = Σ w_b·(σ²_b + (μ_b − μ)²).
 */
export function combineMoments(plan: LayerPlan, moments: readonly Tensor[]): Statistics {
  const means = moments.map((stats) => row(stats, 0));
  const variances = moments.map((stats) => row(stats, 1));
  const mean = weighted(plan, means);
  if (moments.length === 1) return { mean, variance: variances[0] as Tensor };
  const spread = variances.map((variance, i) => {
    const distance = subtract(means[i] as Tensor, mean);
    return add(variance, multiply(distance, distance));
  });
  return { mean, variance: weighted(plan, spread) };
}

/** The statistics as constants. */
export const detach = ({ mean, variance }: Statistics): Statistics => ({
  mean: stopGradient(mean),
  variance: stopGradient(variance),
});

/** Parameters and running statistics of a batch normalization over `channels`, by PyTorch's names. */
export function declareStates(scope: Scope, channels: number, epsilon: number) {
  return {
    affine: { ...declareAffine(scope, channels), epsilon },
    running: {
      mean: scope.buffer("running_mean", [channels], zeros),
      variance: scope.buffer("running_var", [channels], ones),
    },
  };
}

/** γ and β, trained or (as buffers) not. */
export function declareAffine(
  scope: Scope,
  channels: number,
  kind: "parameter" | "buffer" = "parameter",
) {
  return {
    gamma: scope[kind]("weight", [channels], ones),
    beta: scope[kind]("bias", [channels], zeros),
  };
}

/** 1/√(σ² + ε). */
export const inverseDeviation = (variance: Tensor, epsilon: number): Tensor =>
  divide(1, sqrt(add(variance, epsilon)));

/**
 * r̄ ← (1 − momentum)·r̄ + momentum·(batch value), as in PyTorch: the variance is stored unbiased,
 * times m_s/(m_s − 1).
 */
export function updateRunning(
  scope: Scope,
  running: Statistics,
  batch: Statistics,
  values: number,
  momentum: number,
): void {
  scope.update("running_mean", blend(running.mean, batch.mean, momentum));
  const unbiased = values / (values - 1);
  scope.update("running_var", blend(running.variance, batch.variance, momentum, unbiased));
}

/** (1 − momentum)·old + momentum·factor·value; with momentum 1 whatever `old` is, NaN as well. */
export function blend(old: Tensor, value: Tensor, momentum: number, factor = 1): Tensor {
  const share = multiply(value, momentum * factor);
  return momentum === 1 ? share : add(multiply(old, 1 - momentum), share);
}
