// Trainings of the tiny model to look at.

import {
  type Checkpoint,
  cosine,
  stepsPerEpoch,
  type TrainEvent,
  type TrainOptions,
  train,
} from "@fewnorm/train";
import { tinyDataset, withTrainer } from "./tiny.ts";

export const dataset = tinyDataset();
export const epochs = 3;
export const steps = epochs * stepsPerEpoch(dataset, 4);
export const schedule = cosine({ base: 0.1, steps, warmUp: 4 });
// A worker a training would take longer than these trainings.
export const common = { epochs, schedule, seed: 7, augment: { pad: 1 }, prefetch: false };

/** Runs a training to its end and returns its events and checkpoints. */
export async function run(
  options: Partial<TrainOptions> = {},
  stopAfter = Number.POSITIVE_INFINITY,
  made: Parameters<typeof withTrainer>[1] = {},
) {
  const events: TrainEvent[] = [];
  const checkpoints: Checkpoint[] = [];
  const controller = new AbortController();
  await withTrainer(async (trainer) => {
    const all: TrainOptions = {
      ...common,
      save: async (checkpoint) => `checkpoint ${checkpoints.push(checkpoint)}`,
      signal: controller.signal,
      ...options,
    };
    if (stopAfter === 0) controller.abort();
    for await (const event of train(trainer, dataset, all)) {
      events.push(event);
      if (event.type === "step" && event.step === stopAfter) controller.abort();
    }
  }, made);
  return { events, checkpoints, last: checkpoints.at(-1) as Checkpoint };
}
