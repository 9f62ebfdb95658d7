// The options of a training, and what is checked of them before anything is trained.

import type { Augmentation, Dataset } from "@fewnorm/data";
import { checkCount, checkMethod, checkOptions, showValue } from "@fewnorm/tensor";
import type { Checkpoint, Settings } from "./checkpoint.ts";
import { checkIsDataset, checkSignal } from "./checks.ts";
import { notFinite } from "./divergence.ts";
import type { Schedule } from "./schedule.ts";
import { checkLabels } from "./scores.ts";
import { stepsPerEpoch } from "./steps-per-epoch.ts";
import type { HostTensor, Trainer } from "./trainer.ts";

/** Options of `train`. */
export interface TrainOptions {
  /** How often every training image is seen; a whole number from 1. */
  readonly epochs: number;
  /** The learning rate of each step, such as `constant(0.1)` or `cosine({ base: 0.1, steps })`. */
  readonly schedule: Schedule;
  /** Whole number; the same seed gives the same training. Default 0. */
  readonly seed?: number;
  /** Pad, crop and flip; default false. */
  readonly augment?: boolean | Augmentation;
  /** Epochs from one evaluation on the test images to the next; the last epoch always has one. Default 1. */
  readonly evaluateEvery?: number;
  /** Steps from one checkpoint to the next; default: those of an epoch. The first and last step have one. */
  readonly checkpointEvery?: number;
  /** Keeps a checkpoint and says where. Without it none are made. */
  readonly save?: (checkpoint: Checkpoint) => Promise<string>;
  /** Goes on from here instead of beginning; `where` names it in messages. */
  readonly resume?: { readonly checkpoint: Checkpoint; readonly where: string };
  /** Begins with these values instead of drawn ones, as `readStateDict` gives them; a resumed training has its own. */
  readonly initial?: ReadonlyMap<string, HostTensor>;
  /** More settings that the results depend on, such as the norm's name: to resume, they must be the same. */
  readonly settings?: Settings;
  /** What a checkpoint shall remember but may change. */
  readonly notes?: Settings;
  /** Stops after the step that is running, and saves a checkpoint. */
  readonly signal?: AbortSignal;
  /** Prepares batches in a worker; default true. */
  readonly prefetch?: boolean;
}

/** @throws TypeError and RangeError for what `train` cannot work with. */
export function checkTraining(trainer: Trainer, dataset: Dataset, options: TrainOptions): void {
  checkMethod("train", "trainer", trainer, "step", "what createTrainer makes");
  checkOptions("train", options, {
    epochs: "number",
    schedule: "any",
    seed: "number",
    augment: "any",
    evaluateEvery: "number",
    checkpointEvery: "number",
    save: "function",
    resume: "any",
    initial: "any",
    settings: "any",
    notes: "any",
    signal: "any",
    prefetch: "boolean",
  });
  checkIsDataset("train", dataset);
  checkSignal("train", options.signal);
  checkSettings("settings", options.settings);
  checkSettings("notes", options.notes);
  const { epochs, schedule, evaluateEvery = 1, resume } = options;
  const { checkpointEvery = stepsPerEpoch(dataset, trainer.batch), initial = new Map() } = options;
  checkCount("train", "epochs", epochs);
  if (resume !== undefined && typeof resume.checkpoint?.settings !== "object") {
    throw new TypeError(
      `train: resume is ${showValue(resume)}; give what readCheckpoint gives, as in await readCheckpoint("runs/first")`,
    );
  }
  checkMethod(
    "train",
    "initial",
    initial,
    "entries",
    "a Map of tensors, which readStateDict makes",
  );
  if (typeof schedule !== "function") {
    throw new TypeError(
      `train: schedule is ${schedule}; give the learning rate of each step, such as constant(0.1)`,
    );
  }
  checkCount("train", "evaluateEvery", evaluateEvery);
  checkCount("train", "checkpointEvery", checkpointEvery);
  checkDataset(trainer, dataset);
  const spoilt = notFinite(initial);
  if (spoilt !== undefined) {
    throw new RangeError(
      `train: ${spoilt} is not finite in the values to begin with; begin with other ones`,
    );
  }
}

/** @throws TypeError for what a checkpoint cannot keep. */
function checkSettings(option: string, settings: Settings = {}): void {
  for (const [name, value] of Object.entries(settings)) {
    if (["string", "boolean"].includes(typeof value) || Number.isFinite(value)) continue;
    throw new TypeError(
      `train: ${option}.${name} is ${showValue(value)}; give a string, a finite number, true or false, which a checkpoint keeps`,
    );
  }
}

function checkDataset({ model }: Trainer, dataset: Dataset): void {
  if (model.inputShape.some((length, axis) => length !== dataset.shape[axis])) {
    throw new RangeError(
      `train: ${model.name} takes images of ${model.inputShape.join("×")}, ${dataset.name} has ${dataset.shape.join("×")}; build the model with the data set's shape`,
    );
  }
  if (model.classes < dataset.classes.length) {
    throw new RangeError(
      `train: ${model.name} tells ${model.classes} classes apart, ${dataset.name} has ${dataset.classes.length}; build the model with as many`,
    );
  }
  // What the last epoch would fail at, after all the work.
  if (dataset.test.count < 1) {
    throw new RangeError(
      `train: ${dataset.name} has no test images; set some of its images aside to evaluate with`,
    );
  }
  for (const split of [dataset.train, dataset.test]) checkLabels("train", split, model);
}
