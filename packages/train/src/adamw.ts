// Adam with decoupled weight decay.

import { add, checkOptions, divide, multiply, sqrt, subtract } from "@fewnorm/tensor";
import { checkFraction, checkPositive, checkWeightDecay } from "./checks.ts";
import type { Optimizer } from "./optimizer.ts";
import { correction, nameOf, sharedSlot, slotOf } from "./optimizer-parts.ts";
import type { SgdOptions } from "./sgd.ts";

/** Options of {@link adamw}. */
export interface AdamWOptions extends Pick<SgdOptions, "decays"> {
  /** β₁ and β₂; default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** ε, default 1e-8. */
  readonly epsilon?: number;
  /** wd, default 0.01. */
  readonly weightDecay?: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019), as `torch.optim.AdamW`:
 * p ← p − lr·wd·p, m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², and
 * p ← p − lr·m̂/(√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ). Slots: `<parameter>.exp_avg` (m),
 * `<parameter>.exp_avg_sq` (v), and both 1 − βᵗ for all together. PyTorch's learning rate is 1e-3.
 * @throws RangeError for options out of range.
 */
export function adamw(options: AdamWOptions = {}): Optimizer {
  checkOptions("adamw", options, {
    betas: "array",
    epsilon: "number",
    weightDecay: "number",
    decays: "function",
  });
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01, decays = () => true } = options;
  const [β1, β2] = betas;
  checkFraction("adamw", "the first of betas", β1, 0.9);
  checkFraction("adamw", "the second of betas", β2, 0.999);
  checkWeightDecay("adamw", weightDecay);
  checkPositive("adamw", "epsilon", epsilon, "1e-8");
  const [first, second] = [sharedSlot("first_correction"), sharedSlot("second_correction")];
  return {
    name: `adamw(betas ${β1} and ${β2}, epsilon ${epsilon}, weight decay ${weightDecay}${nameOf(options.decays)})`,
    slots: (parameters) => [
      ...parameters.flatMap((parameter) => [
        slotOf(parameter, "exp_avg"),
        slotOf(parameter, "exp_avg_sq"),
      ]),
      first,
      second,
    ],
    step: (gradients, learningRate) =>
      learningRate.builder.labelled("adamw", () => {
        const { builder } = learningRate;
        const rate = divide(learningRate, correction(learningRate, first, β1));
        const spread = sqrt(correction(learningRate, second, β2));
        const kept = subtract(1, multiply(learningRate, weightDecay));
        return gradients.map(({ parameter, value, gradient }) => {
          const [average, square] = [slotOf(parameter, "exp_avg"), slotOf(parameter, "exp_avg_sq")];
          const m = add(
            multiply(builder.state(average.name, average.shape), β1),
            multiply(gradient, 1 - β1),
          );
          const v = add(
            multiply(builder.state(square.name, square.shape), β2),
            multiply(multiply(gradient, gradient), 1 - β2),
          );
          builder.update(average.name, m);
          builder.update(square.name, v);
          const decayed = weightDecay > 0 && decays(parameter) ? multiply(value, kept) : value;
          const size = add(divide(sqrt(v), spread), epsilon);
          return subtract(decayed, divide(multiply(m, rate), size));
        });
      }),
  };
}
