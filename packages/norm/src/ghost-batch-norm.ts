// Ghost batch normalization: each small part of a batch with statistics of its own.

import {
  checkCount,
  checkOptions,
  joinRows,
  moments,
  multiply,
  normalize,
  row,
  rows,
} from "@fewnorm/tensor";
import { batchNorm } from "./batch-norm.ts";
import { checkEpsilon, checkMomentum, checkValues } from "./checks.ts";
import type { Norm } from "./norm.ts";
import { runningNorm } from "./running-norm.ts";
import { blend, declareStates, inverseDeviation } from "./statistics.ts";

/** Options of {@link ghostBatchNorm}. */
export interface GhostBatchNormOptions {
  /** Images that share statistics; must divide the batch. */
  readonly virtualBatchSize: number;
  /** ε, added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /**
   * Share of one ghost batch in the running statistics, as in PyTorch (Keras counts the other way): with
   * k ghost batches, a step's share is 1 − (1 − momentum)ᵏ. Default 0.1.
   */
  readonly momentum?: number;
}

/**
 * Ghost batch normalization (Hoffer et al., NIPS 2017, arXiv 1705.08741): batch normalization of each
 * `virtualBatchSize` consecutive images on their own, as `torch.nn.BatchNorm2d` called on one after
 * another, running statistics included. States: those of batch normalization.
 * @throws RangeError for options out of range; when a model is traced, for a batch that is no multiple
 *   of `virtualBatchSize`, and for a single value a channel.
 */
export function ghostBatchNorm(options: GhostBatchNormOptions): Norm {
  checkOptions("ghostBatchNorm", options, {
    virtualBatchSize: "number",
    epsilon: "number",
    momentum: "number",
  });
  const { virtualBatchSize: size, epsilon = 1e-5, momentum = 0.1 } = options;
  checkCount("ghostBatchNorm", "virtualBatchSize", size);
  checkEpsilon("ghostBatchNorm", epsilon);
  checkMomentum("ghostBatchNorm", momentum);
  return runningNorm({
    name: `ghost:${size}`,
    virtualImages: undefined,
    calibration: () => batchNorm({ epsilon, momentum: 1 }),
    declare: (inner, channels) => declareStates(inner, channels, epsilon),
    train({ inner, states }, x, { residual, relu = false }) {
      const { affine, running } = states;
      const [n = 1, c = 1] = x.shape;
      if (n % size !== 0) {
        throw new RangeError(
          `ghostBatchNorm: layer "${inner.path}": a batch of ${n} does not divide into ghost batches of ${size}; use a multiple of ${size}`,
        );
      }
      const values = (x.shape.reduce((total, length) => total * length, 1) / n / c) * size;
      checkValues(inner.path, x.shape, values, "use larger ghost batches");
      const start = x.builder.constant(0, [1], "int32");
      const ghosts = Array.from({ length: n / size }, (_, i) => {
        const place = { range: { base: i * size, modulo: size, offset: 0, count: size } };
        const part = rows(x, start, place);
        const statistics = moments(part);
        return { place, part, mean: row(statistics, 0), variance: row(statistics, 1) };
      });
      let { mean, variance } = running;
      for (const ghost of ghosts) {
        mean = blend(mean, ghost.mean, momentum);
        variance = blend(variance, ghost.variance, momentum, values / (values - 1));
      }
      inner.update("running_mean", mean);
      inner.update("running_var", variance);
      const parts = ghosts.map(({ place, part, ...statistics }) => {
        const scale = multiply(affine.gamma, inverseDeviation(statistics.variance, epsilon));
        const skip = residual && rows(residual, start, place);
        const epilogue = { residual: skip, relu };
        return {
          ...place,
          start,
          part: normalize(part, statistics.mean, scale, affine.beta, epilogue),
        };
      });
      return joinRows(parts);
    },
  });
}
