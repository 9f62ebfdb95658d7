// Standardization over sets that lie within an image, or a filter: what group, layer and instance norm and
// weight standardization have in common.

import {
  broadcast,
  customGradient,
  multiply,
  reshape,
  type Shape,
  subtract,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import { inverseDeviation, type Statistics } from "./statistics.ts";

/** The mean of every set of elements, in a shape that broadcasts to the tensor's. */
export type SetMean = (x: Tensor) => Tensor;

/**
 * x̂ = (x − μ)·r, r = 1/√(σ² + ε), with mean and biased variance of each set, and those statistics.
 * Its gradient is the derivative of that: ∂L/∂x = r·(g − mean(g) − x̂·mean(g·x̂)).
 */
export function standardize(
  x: Tensor,
  mean: SetMean,
  epsilon: number,
): { normalized: Tensor; statistics: Statistics } {
  const μ = mean(x);
  const distance = subtract(x, μ);
  const variance = mean(multiply(distance, distance));
  const r = inverseDeviation(variance, epsilon);
  const y = multiply(distance, r);
  const normalized = customGradient(y, [x], (g) => {
    const along = multiply(y, mean(multiply(g, y)));
    return [multiply(subtract(subtract(g, mean(g)), along), r)];
  });
  return { normalized, statistics: { mean: μ, variance } };
}

/** Means over a group's channels and all pixels of one image: x [N, C, H, W] or [N, C]. */
export function groupMean(shape: Shape, groups: number): SetMean {
  const [n = 1, c = 1] = shape;
  const share = (groups * n) / shape.reduce((size, length) => size * length, 1);
  return (x) => {
    const channels = x.shape.length === 4 ? sum(x, [2, 3]) : x;
    const spread = shape.length === 4 ? [n, c, 1, 1] : [n, c];
    if (groups === c) return reshape(multiply(channels, share), spread);
    const means = multiply(sum(reshape(channels, [n, groups, c / groups]), [2]), share);
    return reshape(broadcast(reshape(means, [n, groups, 1]), [n, groups, c / groups]), spread);
  };
}

/** Means over all axes but the first, of a filter or of whatever else has its own row. */
export const rowMean: SetMean = (x) => {
  const [rows = 1, ...rest] = x.shape;
  const share = 1 / rest.reduce((size, length) => size * length, 1);
  const sums = sum(
    x,
    rest.map((_, axis) => axis + 1),
  );
  return reshape(multiply(sums, share), [rows, ...rest.map(() => 1)]);
};

/** Means over the channels of one pixel: x [N, C, H, W] or [N, C]. */
export const pixelMean: SetMean = (x) => {
  const [n = 1, c = 1, ...map] = x.shape;
  return reshape(multiply(sum(x, [1]), 1 / c), [n, 1, ...map]);
};
