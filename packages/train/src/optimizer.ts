// The optimizer contract, and stochastic gradient descent, as composed graphs.

import { type StateDeclaration, zeros } from "@fewnorm/nn";
import {
  add,
  type Builder,
  checkKind,
  checkOptions,
  multiply,
  subtract,
  type Tensor,
} from "@fewnorm/tensor";

/** What an optimizer is given for one parameter. */
export interface ParameterGradient {
  readonly parameter: StateDeclaration;
  /** The parameter before the step. */
  readonly value: Tensor;
  /** ∂loss/∂value, of the same shape. */
  readonly gradient: Tensor;
}

/** Turns gradients into the parameters' next values. Optimizers wrap each other: see `clipped`, `averaged`. */
export interface Optimizer {
  /** Name and options, such as `sgd(momentum 0.9, weight decay 0.0005)`; a checkpoint keeps it. */
  readonly name: string;
  /**
   * The states that the optimizer keeps: `<parameter>.<slot>` for each parameter, `optimizer.<slot>` for all
   * together.
   */
  slots(parameters: readonly StateDeclaration[]): readonly StateDeclaration[];
  /**
   * Records the slots' next values in the gradients' graph.
   * @param learningRate scalar, fed at each step
   * @returns the parameters' next values, in order
   */
  step(gradients: readonly ParameterGradient[], learningRate: Tensor): readonly Tensor[];
  /** The name of the state that evaluation takes for a parameter; absent: the parameter itself. */
  evaluated?(parameter: string): string;
}

/**
 * Records an optimizer's step: the parameters' and the slots' next values. The learning rate is the input
 * `learningRate`, a scalar.
 * @throws RangeError unless the optimizer gives a value for each parameter.
 */
export function recordUpdate(
  builder: Builder,
  optimizer: Optimizer,
  parameters: readonly StateDeclaration[],
  values: readonly Tensor[],
  gradients: readonly Tensor[],
): void {
  const all = parameters.map((parameter, i) => ({
    parameter,
    value: values[i] as Tensor,
    gradient: gradients[i] as Tensor,
  }));
  const next = optimizer.step(all, builder.input("learningRate", []));
  if (next.length !== parameters.length) {
    throw new RangeError(
      `optimizer: ${optimizer.name} gave next values of ${next.length} parameters out of ${parameters.length}; return one for each, in their order`,
    );
  }
  parameters.forEach(({ name }, i) => {
    builder.update(name, next[i] as Tensor);
  });
}

/** A choice for `decays`: weights of convolutions and dense layers, not biases, γ and β. */
export const weightsOnly = (parameter: StateDeclaration): boolean => parameter.shape.length > 1;

/** A state that an optimizer keeps for a parameter, of its shape, zero at first. */
export const slotOf = ({ name, shape }: StateDeclaration, slot: string): StateDeclaration => ({
  name: `${name}.${slot}`,
  shape,
  kind: "buffer",
  initialize: zeros,
});

/** A number that an optimizer keeps, zero at first. */
export const sharedSlot = (slot: string): StateDeclaration =>
  slotOf({ name: "optimizer", shape: [], kind: "buffer", initialize: zeros }, slot);

/**
 * 1 − decayᵗ at step t = 1, 2, …: what a moving average from zero on has to be divided by. Kept as a state
 * itself, c ← decay·c + (1 − decay), since a power near 1 would lose its digits in float32.
 */
export function correction(from: Tensor, slot: StateDeclaration, decay: number): Tensor {
  const { builder } = from;
  const next = add(multiply(builder.state(slot.name, slot.shape), decay), 1 - decay);
  builder.update(slot.name, next);
  return next;
}

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

/** How a chosen `decays` shows in an optimizer's name. */
export const nameOf = (decays: SgdOptions["decays"]): string =>
  decays === undefined ? "" : `, ${decays.name || "chosen parameters"}`;

export function checkFraction(where: string, name: string, value: number, example: number): void {
  checkKind(where, name, value, "number");
  if (!(value >= 0 && value < 1)) {
    throw new RangeError(
      `${where}: ${name} is ${value}; give a number from 0 to below 1, e.g. ${example}`,
    );
  }
}

export function checkWeightDecay(where: string, weightDecay: number): void {
  if (!(weightDecay >= 0 && weightDecay < Infinity)) {
    throw new RangeError(`${where}: weightDecay is ${weightDecay}; give a number >= 0, e.g. 5e-4`);
  }
}
