// What optimizers are made of: slots, choices of parameters, norms.

import { type StateDeclaration, zeros } from "@fewnorm/nn";
import { add, multiply, sqrt, sum, type Tensor } from "@fewnorm/tensor";

/** A choice for `decays`: weights of convolutions and dense layers, not biases, γ and β. */
export const weightsOnly = (parameter: StateDeclaration): boolean => parameter.shape.length > 1;

/** How a chosen `decays` shows in an optimizer's name. */
export const nameOf = (decays: ((parameter: StateDeclaration) => boolean) | undefined): string =>
  decays === undefined ? "" : `, ${decays.name || "chosen parameters"}`;

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

/** The Euclidean norm of all elements of `tensors` together, scalar. */
export function norm(tensors: readonly Tensor[]): Tensor {
  const squares = tensors.map((tensor) => sum(multiply(tensor, tensor)));
  return sqrt(squares.reduce((a, b) => add(a, b)));
}
