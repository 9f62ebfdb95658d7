// How many batches a data set fills.

import type { Dataset } from "@fewnorm/data";

/**
 * Steps of an epoch: images that do not fill a batch are left out, others in each epoch.
 * @throws RangeError when the batch is larger than the training images are many.
 */
export function stepsPerEpoch(dataset: Dataset, batch: number): number {
  if (batch > dataset.train.count) {
    throw new RangeError(
      `train: the batch is ${batch}, but ${dataset.name} has ${dataset.train.count} training images; use a smaller batch`,
    );
  }
  return Math.floor(dataset.train.count / batch);
}
