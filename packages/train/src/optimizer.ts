// The contract of an optimizer, and how its step is recorded.

import type { StateDeclaration } from "@fewnorm/nn";
import type { Builder, Tensor } from "@fewnorm/tensor";

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
