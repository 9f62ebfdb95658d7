// What a configuration asks for, made ready: data set, backend, model, learning rate.

import type { Backend } from "@fewnorm/backend";
import { createDataset, type Dataset, loadEmbedded, openDataset, type Split } from "@fewnorm/data";
import type { Model } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { parseBackend, parseModel } from "@fewnorm/presets";
import { openSafetensorsFile } from "@fewnorm/safetensors/node";
import {
  constant,
  cosine,
  createTrainer,
  type HostTensor,
  readStateDict,
  type Schedule,
  stepDecay,
  stepsPerEpoch,
  type Trainer,
  warmUp,
} from "@fewnorm/train";
import { weightsFile } from "@fewnorm/train/node";
import { checkAfterTraining } from "./after-training.ts";
import type { Config } from "./config.ts";
import { objectiveOf, optimizerOf } from "./method.ts";

/** All that a training needs. Whoever has it disposes of the backend. */
export interface Prepared {
  readonly dataset: Dataset;
  readonly backend: Backend;
  readonly trainer: Trainer;
  /** The model with whole batches' statistics, where it has running ones. */
  readonly calibrated: Model | undefined;
  /** What to begin with, if that is given. */
  readonly initial: ReadonlyMap<string, HostTensor> | undefined;
}

/** @throws Error for names, files and sizes that do not work; nothing is left open then. */
export async function prepare(config: Config, norm: Norm): Promise<Prepared> {
  const { batch, micro } = config;
  // Names first: what is misspelt is told before anything is loaded.
  const modelOf = parseModel(config.model);
  const createBackend = parseBackend(config.backend);
  const optimizer = optimizerOf(config);
  const objective = objectiveOf(config);
  const dataset = await loadData(config);
  // What the images cannot fill is told before memory for it is asked for.
  stepsPerEpoch(dataset, batch);
  checkAugment(config, dataset);
  const shared = { classes: dataset.classes.length, inputShape: dataset.shape };
  const model = modelOf({ ...shared, norm });
  const whole = norm.calibration?.();
  const calibrated = whole && modelOf({ ...shared, norm: whole });
  checkAfterTraining(config, calibrated, dataset);
  const initial = config.init === undefined ? undefined : await readInitial(config.init, model);
  const backend = await createBackend({ threads: config.threads });
  try {
    const trainer = await createTrainer(backend, model, { batch, micro, optimizer, objective });
    return { dataset, backend, trainer, calibrated, initial };
  } catch (error) {
    await backend.dispose();
    throw error;
  }
}

function checkAugment({ augment }: Config, { name, shape: [, height, width] }: Dataset): void {
  if (!augment || Math.min(height, width) >= 4) return;
  throw new RangeError(
    `train: --augment, the default, pads images by 4, and those of ${name} are ${height}×${width}; add --no-augment`,
  );
}

async function readInitial(init: string, model: Model): Promise<Map<string, HostTensor>> {
  const path = await weightsFile(init);
  const file = await openSafetensorsFile(path);
  try {
    const remedy = "give the --model and --norm that it is of, or another --init";
    return await readStateDict(file, model, path, { remedy });
  } finally {
    await file.dispose();
  }
}

/** Loads the images, no more than are wanted. */
async function loadData(config: Config): Promise<Dataset> {
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
export function scheduleOf(config: Config, dataset: Dataset): Schedule {
  const { lr, schedule, epochs, milestones, batch } = config;
  const perEpoch = stepsPerEpoch(dataset, batch);
  const steps = epochs * perEpoch;
  const warm = Math.min(Math.round(config.warmup * perEpoch), steps - 1);
  if (schedule === "cosine") return cosine({ base: lr, steps, warmUp: warm });
  if (schedule === "constant") return warmUp(constant(lr), warm);
  const at = milestones.map((epoch) => Math.round(epoch * perEpoch));
  return warmUp(stepDecay({ base: lr, milestones: at }), warm, lr);
}
