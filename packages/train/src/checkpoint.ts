// A training at rest: what a checkpoint holds, and whether it belongs to a training.

import type { StateDeclaration } from "@fewnorm/nn";
import type { Evaluation } from "./evaluate.ts";
import { negativeVariance } from "./negative-variance.ts";
import type { Scores } from "./scores.ts";
import { tensorDifferences } from "./tensor-differences.ts";
import type { HostTensor } from "./trainer.ts";

/** Flat values by name, as JSON holds them. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** What has been measured up to a checkpoint. */
export interface Progress {
  /** Sums over the steps of the epoch that is under way. */
  readonly epoch: Scores;
  /** Mean training loss of the last completed epoch. */
  readonly trainingLoss?: number | undefined;
  /** The last evaluation, and the step that it was made after. */
  readonly evaluation?: (Evaluation & { readonly step: number }) | undefined;
}

/** All that it takes to go on as if the training had never stopped. */
export interface Checkpoint {
  /** Completed steps. */
  readonly step: number;
  /** What the results depend on; a training goes on only with the same. */
  readonly settings: Settings;
  /** What may change, such as the number of threads. */
  readonly notes: Settings;
  readonly progress: Progress;
  /** Parameters, running statistics and optimizer slots. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/**
 * Checks that a checkpoint belongs to a training, before anything is changed.
 * @param where what the message calls the checkpoint, such as its path
 * @throws Error that lists every setting that differs, or else the tensors that are missing, not
 *   expected, or of another shape; and for a running variance below 0.
 */
export function checkCheckpoint(
  checkpoint: Checkpoint,
  expected: { readonly states: readonly StateDeclaration[]; readonly settings: Settings },
  where = "the checkpoint",
): void {
  const settings = settingDifferences(checkpoint.settings, expected.settings);
  if (settings.length > 0) {
    throw new Error(
      `resume: ${where} belongs to another training (${settings.join("; ")}); use the same settings, or begin anew in another folder`,
    );
  }
  const tensors = tensorDifferences(checkpoint.tensors, expected.states);
  if (tensors.length > 0) {
    throw new Error(
      `resume: ${where} is of another model (${tensors.join("; ")}); build the model that it was made with`,
    );
  }
  const negative = negativeVariance(checkpoint.tensors);
  if (negative !== undefined) {
    throw new Error(
      `resume: ${where} ${negative}, where 0 or more must be; use another checkpoint`,
    );
  }
}

/** "name is A there, B here" for every name that differs. */
function settingDifferences(there: Settings, here: Settings): string[] {
  const names = [...new Set([...Object.keys(there), ...Object.keys(here)])].sort();
  const show = (value: Settings[string] | undefined) => (value === undefined ? "not set" : value);
  return names
    .filter((name) => there[name] !== here[name])
    .map((name) => `${name} is ${show(there[name])} there, ${show(here[name])} here`);
}
