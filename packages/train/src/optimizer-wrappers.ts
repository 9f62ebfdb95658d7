// What is put around an optimizer: clipping of gradients before it, averages of parameters behind it.

import { add, checkKind, checkMethod, divide, multiply, relu, subtract } from "@fewnorm/tensor";
import { checkFraction, checkPositive } from "./checks.ts";
import type { Optimizer } from "./optimizer.ts";
import { correction, norm, sharedSlot, slotOf } from "./optimizer-parts.ts";

/**
 * `optimizer`, its gradients scaled down together where their global norm n is larger than `maxNorm`: by
 * maxNorm/(n + 1e-6), as `torch.nn.utils.clip_grad_norm_` (Pascanu et al., ICML 2013).
 * @throws RangeError unless maxNorm > 0.
 */
export function clipped(optimizer: Optimizer, maxNorm: number): Optimizer {
  checkMethod("clipped", "optimizer", optimizer, "step", "one, such as sgd()");
  checkKind("clipped", "maxNorm", maxNorm, "number");
  checkPositive("clipped", "maxNorm", maxNorm, "1");
  return {
    name: `clipped(${optimizer.name}, ${maxNorm})`,
    slots: (parameters) => optimizer.slots(parameters),
    ...(optimizer.evaluated === undefined
      ? {}
      : { evaluated: (parameter) => optimizer.evaluated?.(parameter) ?? parameter }),
    step(gradients, learningRate) {
      const { builder } = learningRate;
      const scaled = builder.labelled("clip", () => {
        const size = norm(gradients.map(({ gradient }) => gradient));
        // min(maxNorm/(n + 1e-6), 1), whose digits a difference from 1 would lose where it is small
        const excess = relu(subtract(add(size, 1e-6), maxNorm));
        const share = divide(maxNorm, add(excess, maxNorm));
        return gradients.map((one) => ({ ...one, gradient: multiply(one.gradient, share) }));
      });
      return optimizer.step(scaled, learningRate);
    },
  };
}

/**
 * `optimizer`, with an exponential moving average of the parameters, which evaluation takes in their place:
 * aₜ = Σ decayᵗ⁻ˢ·pₛ/Σ decayᵗ⁻ˢ over the steps s = 1 … t, so that the first steps count no more than
 * others. Training is the same as without. Running statistics are not averaged: they belong to the newest
 * parameters, and `recalibrate` finds those of the averages. Slots: `<parameter>.average`.
 * @throws RangeError for a decay outside [0, 1), and for an optimizer that is averaged already.
 */
export function averaged(optimizer: Optimizer, decay = 0.999): Optimizer {
  checkMethod("averaged", "optimizer", optimizer, "step", "one, such as sgd()");
  checkFraction("averaged", "decay", decay, 0.999);
  if (optimizer.evaluated !== undefined) {
    throw new RangeError(
      `averaged: ${optimizer.name} has averages already, and evaluation takes one; leave out one of them`,
    );
  }
  const weights = sharedSlot("average_correction");
  return {
    name: `averaged(${optimizer.name}, ${decay})`,
    slots: (parameters) => [
      ...optimizer.slots(parameters),
      ...parameters.map((parameter) => slotOf(parameter, "average")),
      weights,
    ],
    step(gradients, learningRate) {
      const next = optimizer.step(gradients, learningRate);
      const { builder } = learningRate;
      builder.labelled("average", () => {
        // aₜ = aₜ₋₁ + (pₜ − aₜ₋₁)·(1 − decay)/(1 − decayᵗ)
        const share = divide(1 - decay, correction(learningRate, weights, decay));
        gradients.forEach(({ parameter }, i) => {
          const { name, shape } = slotOf(parameter, "average");
          const old = builder.state(name, shape);
          const value = next[i] ?? old;
          builder.update(name, add(old, multiply(subtract(value, old), share)));
        });
      });
      return next;
    },
    evaluated: (parameter) => `${parameter}.average`,
  };
}
