// What the results of a training depend on, and whether a checkpoint's do on the same.

import type { Augmentation, Dataset } from "@fewnorm/data";
import { checkCheckpoint, type Settings } from "./checkpoint.ts";
import { checksum } from "./checksum.ts";
import type { TrainOptions } from "./train-options.ts";
import type { Trainer } from "./trainer.ts";

/** What the results depend on, as far as the loop knows it. */
export function ownSettings(
  { model, optimizer, objective, batch, micro }: Trainer,
  dataset: Dataset,
  seed: number,
  augment: boolean | Augmentation,
): Settings {
  return {
    model: model.name,
    optimizer: optimizer.name,
    objective: objective.name,
    batch,
    ...(micro === batch ? {} : { micro }),
    seed,
    augment: typeof augment === "boolean" ? augment : describeAugmentation(augment),
    dataset: `${dataset.name}, ${dataset.train.count} + ${dataset.test.count} images of ${dataset.shape.join("×")}, mean ${dataset.mean.map((μ) => μ.toPrecision(12)).join(", ")}`,
    labels: `checksum ${labelChecksum(dataset).toString(16).padStart(8, "0")}`,
  };
}

/** The same for options that mean the same. */
function describeAugmentation({ pad = 4, flip = true }: Augmentation): boolean | string {
  return pad === 4 && flip ? true : JSON.stringify({ pad, flip });
}

const labelChecksum = ({ train, test }: Dataset): number =>
  checksum([...train.labels, ...test.labels]);

/**
 * Checks that a checkpoint is of this training, and not of a step behind its last one.
 * @throws as `checkCheckpoint`; RangeError for a later step.
 */
export function checkResumed(
  { states }: Trainer,
  settings: Settings,
  { epochs, steps }: { readonly epochs: number; readonly steps: number },
  { checkpoint, where }: NonNullable<TrainOptions["resume"]>,
): void {
  // Older checkpoints do not know their labels.
  const { labels: _, ...unlabelled } = settings;
  const knows = "labels" in checkpoint.settings;
  checkCheckpoint(checkpoint, { states, settings: knows ? settings : unlabelled }, where);
  if (checkpoint.step > steps) {
    throw new RangeError(
      `train: ${where} is of step ${checkpoint.step}, but ${epochs} epochs have ${steps}; ask for more epochs`,
    );
  }
}
