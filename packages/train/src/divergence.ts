// NaN and Inf: found before they spread into a checkpoint.

import type { HostTensor } from "./trainer.ts";

/** The last checkpoint that was saved or resumed from. */
export interface LastCheckpoint {
  readonly step: number;
  readonly where: string;
}

/**
 * The error that stops a training that has left the finite numbers; its `code` is `ERR_DIVERGED`.
 * @param what such as `the loss is NaN`
 * @param step the step, counted from 1
 */
export function divergence(
  what: string,
  step: number,
  learningRate: number,
  last: LastCheckpoint | undefined,
): Error {
  const saved =
    last === undefined
      ? "no checkpoint was saved"
      : `the last good checkpoint is ${last.where}, of step ${last.step}`;
  const error = new Error(
    `train: ${what} at step ${step}, learning rate ${learningRate}; ${saved}; try a lower learning rate or a longer warm-up`,
  );
  return Object.assign(error, { code: "ERR_DIVERGED" });
}

/** The name of the first tensor that holds NaN or Inf. */
export function notFinite(tensors: ReadonlyMap<string, HostTensor>): string | undefined {
  for (const [name, { values }] of tensors) {
    if (!values.every(Number.isFinite)) return name;
  }
  return undefined;
}
