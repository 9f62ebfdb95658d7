// Stochastic gradient descent.

import type { StateDeclaration } from "@fewnorm/nn";
import { add, checkOptions, multiply, subtract } from "@fewnorm/tensor";
import { checkFraction, checkWeightDecay } from "./checks.ts";
import type { Optimizer } from "./optimizer.ts";
import { nameOf, slotOf } from "./optimizer-parts.ts";

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** m, from 0 to below 1; default 0.9. */
  readonly momentum?: number;
  /** Nesterov's momentum; default false. */
  readonly nesterov?: boolean;
  /** wd, default 5e-4. */
  readonly weightDecay?: number;
  /** Which parameters decay; default all of them. */
  readonly decays?: (parameter: StateDeclaration) => boolean;
}

/**
 * Stochastic gradient descent with momentum, as `torch.optim.SGD`:
 * g ← g + wd·p, v ← m·v + g and p ← p − lr·v, or with Nesterov's momentum p ← p − lr·(g + m·v).
 * The slot of v is `<parameter>.momentum`, zero at first.
 * @throws RangeError for a momentum outside [0, 1), or 0 with Nesterov, or a negative weight decay.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  checkOptions("sgd", options, {
    momentum: "number",
    nesterov: "boolean",
    weightDecay: "number",
    decays: "function",
  });
  const { momentum = 0.9, nesterov = false, weightDecay = 5e-4, decays = () => true } = options;
  checkFraction("sgd", "momentum", momentum, 0.9);
  if (nesterov && momentum === 0) {
    throw new RangeError("sgd: nesterov needs a momentum, which is 0; give e.g. 0.9");
  }
  checkWeightDecay("sgd", weightDecay);
  const kind = nesterov ? "nesterov momentum" : "momentum";
  return {
    name: `sgd(${kind} ${momentum}, weight decay ${weightDecay}${nameOf(options.decays)})`,
    slots: (parameters) =>
      momentum === 0 ? [] : parameters.map((parameter) => slotOf(parameter, "momentum")),
    step: (gradients, learningRate) =>
      learningRate.builder.labelled("sgd", () =>
        gradients.map(({ parameter, value, gradient }) => {
          const { builder } = value;
          const decayed = weightDecay > 0 && decays(parameter);
          const g = decayed ? add(gradient, multiply(value, weightDecay)) : gradient;
          if (momentum === 0) return subtract(value, multiply(g, learningRate));
          const slot = slotOf(parameter, "momentum");
          const v = add(multiply(builder.state(slot.name, slot.shape), momentum), g);
          builder.update(slot.name, v);
          const step = nesterov ? add(g, multiply(v, momentum)) : v;
          return subtract(value, multiply(step, learningRate));
        }),
      ),
  };
}
