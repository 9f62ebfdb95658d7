// The optimizer contract, and stochastic gradient descent, as composed graphs.

import { type StateDeclaration, zeros } from "@fewnorm/nn";
import { add, multiply, subtract, type Tensor } from "@fewnorm/tensor";

/** What an optimizer is given for one parameter. */
export interface ParameterUpdate {
  readonly parameter: StateDeclaration;
  /** The parameter before the step. */
  readonly value: Tensor;
  /** ∂loss/∂value, of the same shape. */
  readonly gradient: Tensor;
  /** Scalar, fed at each step. */
  readonly learningRate: Tensor;
}

/** Turns gradients into updates, parameter by parameter. */
export interface Optimizer {
  /** Name and options, such as `sgd(momentum 0.9, weight decay 0.0005)`; a checkpoint keeps it. */
  readonly name: string;
  /** The states that the optimizer keeps for a parameter. */
  slots(parameter: StateDeclaration): readonly StateDeclaration[];
  /** Records the next values of the parameter and of its slots in the parameter's graph. */
  update(update: ParameterUpdate): void;
}

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** m, from 0 to below 1; default 0.9. */
  readonly momentum?: number;
  /** wd, default 5e-4. */
  readonly weightDecay?: number;
  /** Which parameters decay; default all of them. */
  readonly decays?: (parameter: StateDeclaration) => boolean;
}

/** A choice for `decays`: weights of convolutions and dense layers, not biases, γ and β. */
export const weightsOnly = (parameter: StateDeclaration): boolean => parameter.shape.length > 1;

/**
 * Stochastic gradient descent with momentum, as `torch.optim.SGD`:
 * v ← m·v + g + wd·p and p ← p − lr·v. The slot of v is `<parameter>.momentum`, zero at first.
 * @throws RangeError for a momentum outside [0, 1) or a negative weight decay.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0.9, weightDecay = 5e-4, decays = () => true } = options;
  if (!(momentum >= 0 && momentum < 1)) {
    throw new RangeError(`sgd: momentum is ${momentum}; give a number from 0 to below 1, e.g. 0.9`);
  }
  if (!(weightDecay >= 0 && weightDecay < Infinity)) {
    throw new RangeError(`sgd: weightDecay is ${weightDecay}; give a number >= 0, e.g. 5e-4`);
  }
  const slotOf = ({ name, shape }: StateDeclaration): StateDeclaration => ({
    name: `${name}.momentum`,
    shape,
    kind: "buffer",
    initialize: zeros,
  });
  const extra =
    options.decays === undefined ? "" : `, ${options.decays.name || "chosen parameters"}`;
  return {
    name: `sgd(momentum ${momentum}, weight decay ${weightDecay}${extra})`,
    slots: (parameter) => (momentum === 0 ? [] : [slotOf(parameter)]),
    update({ parameter, value, gradient, learningRate }) {
      const { builder } = value;
      builder.labelled("sgd", () => {
        const decayed = weightDecay > 0 && decays(parameter);
        let step = decayed ? add(gradient, multiply(value, weightDecay)) : gradient;
        if (momentum > 0) {
          const slot = slotOf(parameter);
          step = add(multiply(builder.state(slot.name, slot.shape), momentum), step);
          builder.update(slot.name, step);
        }
        builder.update(parameter.name, subtract(value, multiply(step, learningRate)));
      });
    },
  };
}
