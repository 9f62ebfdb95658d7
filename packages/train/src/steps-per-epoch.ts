// How many batches a data set fills.

import type { Dataset } from "@fewnorm/data";
import { checkCount } from "@fewnorm/tensor";
import { checkIsDataset } from "./checks.ts";

/**
 * Steps of an epoch: images that do not fill a batch are left out, others in each epoch.
 * @throws TypeError for what is no data set; RangeError when the batch is no whole number from 1, or larger than the training images are many.
 */
export function stepsPerEpoch(dataset: Dataset, batch: number): number {
  checkIsDataset("train", dataset);
  checkCount("train", "batch", batch);
  if (batch > dataset.train.count) {
    throw new RangeError(
      `train: the batch is ${batch}, but ${dataset.name} has ${dataset.train.count} training images; use a smaller batch`,
    );
  }
  return Math.floor(dataset.train.count / batch);
}
