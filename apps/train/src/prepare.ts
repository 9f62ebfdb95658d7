// The data set and the learning rate that a configuration asks for.

import { createDataset, type Dataset, loadEmbedded, openDataset, type Split } from "@fewnorm/data";
import { constant, cosine, type Schedule, stepDecay, warmUp } from "@fewnorm/train";
import type { Config } from "./config.ts";

/** Loads the images, no more than are wanted. */
export async function loadData(config: Config): Promise<Dataset> {
  const { data, trainImages, testImages } = config;
  const dataset = data === undefined ? await loadEmbedded() : await openDataset(data);
  if (trainImages === undefined && testImages === undefined) return dataset;
  const size = dataset.shape[0] * dataset.shape[1] * dataset.shape[2];
  return createDataset({
    name: dataset.name,
    classes: dataset.classes,
    shape: dataset.shape,
    train: firstImages("--train-images", dataset.train, size, trainImages),
    test: firstImages("--test-images", dataset.test, size, testImages),
  });
}

function firstImages(option: string, split: Split, size: number, wanted?: number): Split {
  const count = wanted ?? split.count;
  if (count > split.count) {
    throw new RangeError(`train: ${option} is ${count}, but there are ${split.count}; give less`);
  }
  return {
    count,
    images: split.images.subarray(0, count * size),
    labels: split.labels.subarray(0, count),
  };
}

/** The learning rate of every step. */
export function scheduleOf(config: Config, stepsPerEpoch: number): Schedule {
  const { lr, schedule, epochs, milestones } = config;
  const steps = epochs * stepsPerEpoch;
  const warm = Math.min(Math.round(config.warmup * stepsPerEpoch), steps - 1);
  if (schedule === "cosine") return cosine({ base: lr, steps, warmUp: warm });
  if (schedule === "constant") return warmUp(constant(lr), warm);
  const at = milestones.map((epoch) => epoch * stepsPerEpoch);
  return warmUp(stepDecay({ base: lr, milestones: at }), warm, lr);
}
