// Frozen batch normalization: an affine map with statistics that were measured before.

import { ones, zeros } from "@fewnorm/nn";
import { checkOptions } from "@fewnorm/tensor";
import { checkEpsilon } from "./checks.ts";
import { foldedWith } from "./folded.ts";
import type { Norm } from "./norm.ts";
import { normalizeWith } from "./normalize-layer.ts";
import { runningNorm } from "./running-norm.ts";
import { declareAffine } from "./statistics.ts";

/** Options of {@link frozenNorm}. */
export interface FrozenNormOptions {
  /** ε, added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Whether γ and β go on learning. Default false, as in torchvision. */
  readonly trainAffine?: boolean;
}

/**
 * Batch normalization with constant statistics, in training as in evaluation, for fine-tuning:
 * y = γ·(x − running_mean)/√(running_var + ε) + β, folded into the layer before.
 * `torchvision.ops.FrozenBatchNorm2d`. States: batch normalization's, all of them buffers that nothing
 * updates (γ and β parameters if `trainAffine`); before a checkpoint is loaded it changes nothing.
 * @throws RangeError for options out of range.
 */
export function frozenNorm(options: FrozenNormOptions = {}): Norm {
  checkOptions("frozenNorm", options, { epsilon: "number", trainAffine: "boolean" });
  const { epsilon = 1e-5, trainAffine = false } = options;
  checkEpsilon("frozenNorm", epsilon);
  return runningNorm({
    name: trainAffine ? "frozen:affine" : "frozen",
    virtualImages: undefined,
    declare: (inner, channels) => ({
      affine: {
        ...declareAffine(inner, channels, trainAffine ? "parameter" : "buffer"),
        epsilon,
      },
      running: {
        mean: inner.buffer("running_mean", [channels], zeros),
        variance: inner.buffer("running_var", [channels], ones),
      },
    }),
    train: ({ states: { affine, running } }, x, epilogue) =>
      normalizeWith(x, running, affine, epilogue),
    trainBehind: ({ states: { affine, running } }, convolution, _shape, epilogue) =>
      foldedWith(convolution, running, affine, epilogue),
  });
}
