// Layer-wise adaptive rate scaling, for large batches.

import type { StateDeclaration } from "@fewnorm/nn";
import { add, checkOptions, divide, multiply, subtract } from "@fewnorm/tensor";
import { checkFraction, checkPositive, checkWeightDecay } from "./checks.ts";
import type { Optimizer } from "./optimizer.ts";
import { norm, slotOf, weightsOnly } from "./optimizer-parts.ts";

/** Options of {@link lars}. */
export interface LarsOptions {
  /** m, from 0 to below 1; default 0.9. */
  readonly momentum?: number;
  /** β, default 5e-4. */
  readonly weightDecay?: number;
  /** η, default 0.001. */
  readonly trust?: number;
  /** ε, which keeps λ finite where everything is zero; default 1e-9. */
  readonly epsilon?: number;
  /**
   * Which parameters have a rate of their own and decay; the others have λ = 1 and no decay. Default
   * {@link weightsOnly}, since a bias that starts at zero would stay there.
   */
  readonly adapts?: (parameter: StateDeclaration) => boolean;
}

/**
 * LARS (You, Gitman and Ginsburg, arXiv 1708.03888, algorithm 1): with λ = η·‖w‖/(‖g‖ + β·‖w‖ + ε) for each
 * weight tensor, v ← m·v + lr·λ·(g + β·w) and w ← w − v. The slot of v is `<parameter>.momentum`.
 * @throws RangeError for options out of range.
 */
export function lars(options: LarsOptions = {}): Optimizer {
  checkOptions("lars", options, {
    momentum: "number",
    weightDecay: "number",
    trust: "number",
    epsilon: "number",
    adapts: "function",
  });
  const { momentum = 0.9, weightDecay = 5e-4, trust = 0.001, epsilon = 1e-9 } = options;
  const { adapts = weightsOnly } = options;
  checkFraction("lars", "momentum", momentum, 0.9);
  checkWeightDecay("lars", weightDecay);
  checkPositive("lars", "trust", trust, "0.001");
  checkPositive("lars", "epsilon", epsilon, "1e-9");
  return {
    name: `lars(momentum ${momentum}, weight decay ${weightDecay}, trust ${trust}, epsilon ${epsilon}, ${adapts.name || "chosen parameters"})`,
    slots: (parameters) => parameters.map((parameter) => slotOf(parameter, "momentum")),
    step: (gradients, learningRate) =>
      learningRate.builder.labelled("lars", () =>
        gradients.map(({ parameter, value, gradient }) => {
          const { builder } = value;
          const adapted = adapts(parameter);
          const size = norm([value]);
          const whole = add(add(norm([gradient]), multiply(size, weightDecay)), epsilon);
          const rate = adapted
            ? multiply(learningRate, divide(multiply(size, trust), whole))
            : learningRate;
          const decayed = adapted && weightDecay > 0;
          const g = decayed ? add(gradient, multiply(value, weightDecay)) : gradient;
          const slot = slotOf(parameter, "momentum");
          const state = builder.state(slot.name, slot.shape);
          const v = add(multiply(state, momentum), multiply(g, rate));
          builder.update(slot.name, v);
          return subtract(value, v);
        }),
      ),
  };
}
