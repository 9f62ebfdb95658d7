// Batch renormalization: corrects what a small batch's statistics are off from the running ones.

import { ones, type Scope, zeros } from "@fewnorm/nn";
import {
  add,
  broadcast,
  checkOptions,
  divide,
  moments,
  multiply,
  normalize,
  relu,
  reluGrad,
  row,
  sqrt,
  stopGradient,
  subtract,
  type Tensor,
} from "@fewnorm/tensor";
import { checkEpsilon, checkMomentum, checkValues } from "./checks.ts";
import type { Norm } from "./norm.ts";
import { type RunningStates, runningNorm } from "./running-norm.ts";
import { blend, declareAffine } from "./statistics.ts";

/** Options of {@link batchRenorm}. */
export interface BatchRenormOptions {
  /** The largest r in the end; 1/r is the smallest. Default 3. */
  readonly rMax?: number;
  /** The largest |d| in the end. Default 5. */
  readonly dMax?: number;
  /** Steps of ordinary batch normalization (r = 1, d = 0) first. Default 5000. */
  readonly warmUp?: number;
  /** Step at which the bound of r, growing linearly, reaches rMax. Default 8·warmUp, as published. */
  readonly rSteps?: number;
  /** Step at which the bound of d, growing linearly, reaches dMax. Default 5·warmUp, as published. */
  readonly dSteps?: number;
  /** ε, added to the batch's variance. Default 1e-5. */
  readonly epsilon?: number;
  /**
   * α, the batch's share in the running statistics, as in PyTorch; Keras' `renorm_momentum` is 1 − α.
   * Default 0.01, as published.
   */
  readonly momentum?: number;
}

interface RenormStates extends RunningStates {
  /** σ of the running statistics. */
  readonly deviation: Tensor;
}

/**
 * Batch renormalization (Ioffe, NIPS 2017, arXiv 1702.03275, algorithm 1):
 * σ_B = √(ε + variance of the batch), r = clip(σ_B/σ, 1/r_max, r_max), d = clip((μ_B − μ)/σ, −d_max, d_max),
 * both constants for the gradient; y = γ·((x − μ_B)/σ_B·r + d) + β; then μ ← μ + α·(μ_B − μ) and
 * σ ← σ + α·(σ_B − σ). In evaluation y = γ·(x − μ)/σ + β. States: `weight` (γ), `bias` (β),
 * `running_mean` (μ), `running_std` (σ) and, while the bounds grow, `num_batches_tracked`.
 * @throws RangeError for options out of range; when a model is traced, for a single value a channel.
 */
export function batchRenorm(options: BatchRenormOptions = {}): Norm {
  checkOptions("batchRenorm", options, {
    rMax: "number",
    dMax: "number",
    warmUp: "number",
    rSteps: "number",
    dSteps: "number",
    epsilon: "number",
    momentum: "number",
  });
  const { rMax = 3, dMax = 5, warmUp = 5000, epsilon = 1e-5, momentum = 0.01 } = options;
  const { rSteps = 8 * warmUp, dSteps = 5 * warmUp } = options;
  checkEpsilon("batchRenorm", epsilon);
  checkMomentum("batchRenorm", momentum);
  checkBounds(rMax, dMax, warmUp, rSteps, dSteps);
  const growing = rSteps > 0 || dSteps > 0;

  /** The bounds of r and d at this step. */
  function boundsOf(inner: Scope): { r: Tensor; d: Tensor } {
    const { builder } = inner;
    if (!growing) return { r: builder.constant(rMax), d: builder.constant(dMax) };
    const steps = inner.buffer("num_batches_tracked", [], zeros);
    inner.update("num_batches_tracked", add(steps, 1));
    return {
      r: add(multiply(grown(steps, warmUp, rSteps), rMax - 1), 1),
      d: multiply(grown(steps, warmUp, dSteps), dMax),
    };
  }

  return runningNorm<RenormStates>({
    name: warmUp === 5000 ? "brn" : `brn:${warmUp}`,
    virtualImages: undefined,
    calibration: () => batchRenorm({ epsilon, momentum: 1, rMax: 1, dMax: 0, warmUp: 0 }),
    declare(inner, channels) {
      const deviation = inner.buffer("running_std", [channels], ones);
      const mean = inner.buffer("running_mean", [channels], zeros);
      // In evaluation as well: a saved network goes on from its bounds.
      if (growing) inner.buffer("num_batches_tracked", [], zeros);
      return {
        affine: { ...declareAffine(inner, channels), epsilon: 0 },
        running: { mean, variance: multiply(deviation, deviation) },
        deviation,
      };
    },
    train({ inner, states }, x, epilogue) {
      const { affine, running, deviation } = states;
      const values = x.shape.reduce((size, length) => size * length, 1) / (x.shape[1] ?? 1);
      checkValues(inner.path, x.shape, values, "use a larger batch");
      const batch = moments(x);
      const mean = row(batch, 0);
      const σ = sqrt(add(row(batch, 1), epsilon));
      const bounds = boundsOf(inner);
      const r = clip(divide(σ, deviation), divide(1, bounds.r), bounds.r);
      const offset = divide(subtract(mean, running.mean), deviation);
      const d = clip(offset, multiply(bounds.d, -1), bounds.d);
      const scale = divide(multiply(affine.gamma, stopGradient(r)), σ);
      const shift = add(affine.beta, multiply(affine.gamma, stopGradient(d)));
      inner.update("running_mean", blend(running.mean, mean, momentum));
      inner.update("running_std", blend(deviation, σ, momentum));
      return normalize(x, mean, scale, shift, epilogue);
    },
  });
}

/** min(max(x, least), most), of constants for the gradient, however far they are apart. */
function clip(x: Tensor, least: Tensor, most: Tensor): Tensor {
  return smaller(larger(x, broadcast(least, x.shape)), broadcast(most, x.shape));
}

/** min(a, b), exactly: a where b − a > 0, b elsewhere. */
function smaller(a: Tensor, b: Tensor): Tensor {
  const distance = subtract(b, a);
  return add(reluGrad(a, distance), subtract(b, reluGrad(b, distance)));
}

/** max(a, b), exactly. */
function larger(a: Tensor, b: Tensor): Tensor {
  const distance = subtract(a, b);
  return add(reluGrad(a, distance), subtract(b, reluGrad(b, distance)));
}

/** 0 up to step `from`, 1 from step `to` on, linear between. */
function grown(steps: Tensor, from: number, to: number): Tensor {
  if (to === from) return relu(subtract(1, relu(subtract(to, steps))));
  const share = multiply(relu(subtract(steps, from)), 1 / (to - from));
  return subtract(1, relu(subtract(1, share)));
}

function checkBounds(
  rMax: number,
  dMax: number,
  warmUp: number,
  rSteps: number,
  dSteps: number,
): void {
  if (!(rMax >= 1 && rMax < Infinity)) {
    throw new RangeError(`batchRenorm: rMax is ${rMax}; give a number >= 1, e.g. 3`);
  }
  if (!(dMax >= 0 && dMax < Infinity)) {
    throw new RangeError(`batchRenorm: dMax is ${dMax}; give a number >= 0, e.g. 5`);
  }
  for (const [name, steps] of Object.entries({ warmUp, rSteps, dSteps })) {
    if (!(Number.isSafeInteger(steps) && steps >= 0)) {
      throw new RangeError(`batchRenorm: ${name} is ${steps}; give a whole number >= 0`);
    }
    if (steps < warmUp) {
      throw new RangeError(
        `batchRenorm: ${name} is ${steps}, less than warmUp, ${warmUp}; give more`,
      );
    }
  }
}
