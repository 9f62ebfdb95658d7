// Checks of what several functions take; of numbers, each a RangeError.

import type { Dataset } from "@fewnorm/data";
import { checkKind, checkMethod, showValue } from "@fewnorm/tensor";

/** @throws TypeError for what is no AbortSignal, such as its controller, which would stop nothing. */
export function checkSignal(where: string, signal: unknown): void {
  if (signal === undefined) return;
  const example = "an AbortSignal, such as new AbortController().signal";
  checkMethod(where, "signal", signal, "addEventListener", example);
}

/** @throws TypeError for what is no data set, such as the promise of one, or a split. */
export function checkIsDataset(where: string, dataset: Dataset | undefined): void {
  if (typeof dataset?.train?.count === "number" && typeof dataset.test?.count === "number") return;
  throw new TypeError(
    `${where}: dataset is ${showValue(dataset)}; give a data set, such as await loadEmbedded()`,
  );
}

export function checkPositive(where: string, name: string, value: number, example: string): void {
  if (!(value > 0 && value < Infinity)) {
    throw new RangeError(`${where}: ${name} is ${value}; give a number above 0, e.g. ${example}`);
  }
}

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
