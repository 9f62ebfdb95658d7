// Checks of options that several norms share.

import type { Scope } from "@fewnorm/nn";
import { checkOptions, checkTensor, type Shape, showShape, type Tensor } from "@fewnorm/tensor";
import type { EpilogueOptions } from "./norm.ts";

export function checkEpsilon(where: string, epsilon: number): void {
  if (!(epsilon > 0 && epsilon < Infinity)) {
    throw new RangeError(`${where}: epsilon is ${epsilon}; give a number above 0, such as 1e-5`);
  }
}

export function checkMomentum(where: string, momentum: number): void {
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new RangeError(`${where}: momentum is ${momentum}; give a number from 0 to 1`);
  }
}

export function checkChoice(
  where: string,
  name: string,
  value: string,
  choices: readonly string[],
): void {
  if (!choices.includes(value)) {
    const known = choices.map((choice) => `"${choice}"`).join(", ");
    throw new RangeError(`${where}: ${name} is ${JSON.stringify(value)}; give one of ${known}`);
  }
}

/** Checks what a layer of its own is given. */
export function checkLayer(scope: Scope, name: string, x: Tensor, options: EpilogueOptions): void {
  const where = `norm: layer "${scope.at(name).path}"`;
  checkTensor(where, x);
  checkOptions(where, options, { residual: "any", relu: "boolean" });
}

/** @throws RangeError for statistics of a single value, which says nothing of a variance. */
export function checkValues(layer: string, shape: Shape, values: number, remedy: string): void {
  if (values < 2) {
    throw new RangeError(
      `norm: layer "${layer}", whose input is ${showShape(shape)}, would take each mean and variance from ${values} value; ${remedy}`,
    );
  }
}
