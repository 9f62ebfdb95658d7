// What a training is made of: from the command line, a checkpoint and defaults, and back into a checkpoint.

import { resolve } from "node:path";
import { oneOf, usageError } from "@fewnorm/command-line";
import type { Model } from "@fewnorm/nn";
import { type Checkpoint, modelMetadata, type Settings } from "@fewnorm/train";
import { type OptimizerName, optimizerNames, optimizers } from "./method.ts";

const scheduleNames = ["cosine", "step", "constant"] as const;

/** Readers of names, from the command line or a checkpoint. */
export const scheduleName = oneOf("schedule", scheduleNames);
export const optimizerName = oneOf("optimizer", optimizerNames);

/** Everything that can be chosen. Epochs and steps are counted in whole numbers. */
export interface Config {
  /** Absent: the embedded data set. */
  readonly data?: string | undefined;
  readonly model: string;
  /** Of a sampling strategy from a module, the strategy's name. */
  readonly norm: string;
  /** A module with a sampling strategy, by the name of its package or by its path. */
  readonly strategy?: string | undefined;
  readonly epochs: number;
  readonly batch: number;
  /** Images that run at a time; absent: the whole batch. */
  readonly micro?: number | undefined;
  readonly lr: number;
  readonly schedule: (typeof scheduleNames)[number];
  /** Epochs; fractions are allowed. */
  readonly warmup: number;
  /** Epochs after which the schedule `step` lowers the rate; fractions are allowed. */
  readonly milestones: readonly number[];
  readonly optimizer: OptimizerName;
  readonly momentum: number;
  readonly weightDecay: number;
  /** The largest global norm of the gradients; absent: any. */
  readonly clip?: number | undefined;
  /** Decay of the moving average of the parameters; absent: none is kept. */
  readonly ema?: number | undefined;
  readonly labelSmoothing: number;
  /** α; absent: images are not mixed. */
  readonly mixup?: number | undefined;
  readonly augment: boolean;
  readonly seed: number;
  /** A safetensors file to begin with. */
  readonly init?: string | undefined;
  /** The safetensors file for the trained model. */
  readonly save?: string | undefined;
  readonly out?: string | undefined;
  readonly resume: boolean;
  readonly backend: string;
  readonly threads?: number | undefined;
  /** Steps; absent: an epoch. */
  readonly checkpointEvery?: number | undefined;
  readonly evalEvery: number;
  /** Batches that the running statistics are recomputed from in the end; absent: they stay. */
  readonly recalibrate?: number | undefined;
  /** Whether the end also tests with statistics of the test batches themselves. */
  readonly batchStatistics: boolean;
  /** The first images of the data set; absent: all. */
  readonly trainImages?: number | undefined;
  readonly testImages?: number | undefined;
  readonly jsonl?: string | undefined;
  readonly quiet: boolean;
}

export const defaults: Omit<Config, "milestones"> = {
  model: "resnet20",
  norm: "bs:1/4",
  epochs: 10,
  batch: 128,
  lr: optimizers.sgd.lr,
  schedule: "cosine",
  warmup: 2,
  optimizer: "sgd",
  momentum: 0.9,
  weightDecay: optimizers.sgd.weightDecay,
  labelSmoothing: 0,
  augment: true,
  seed: 1,
  resume: false,
  backend: "wasm",
  evalEvery: 1,
  batchStatistics: false,
  quiet: false,
};

/** What the command line says, else what the resumed checkpoint says, else the defaults. */
export function resolveConfig(given: Partial<Config>, checkpoint: Checkpoint | undefined): Config {
  const before = checkpoint && remembered(checkpoint);
  // A norm that is given is not that of the strategy there was.
  const strategy = given.norm === undefined ? before?.strategy : undefined;
  const chosen = { ...before, strategy, ...given };
  const { lr, weightDecay } = optimizers[chosen.optimizer ?? defaults.optimizer];
  const merged = { ...defaults, lr, weightDecay, ...chosen };
  const { epochs } = merged;
  const config: Config = { milestones: [epochs / 2, (3 * epochs) / 4], ...merged };
  if (given.milestones !== undefined && config.schedule !== "step") {
    throw usageError(
      `--milestones are those of --schedule step, and it is ${config.schedule}; leave them out, or add --schedule step`,
    );
  }
  const late = given.milestones?.find((milestone) => milestone >= epochs);
  if (late !== undefined) {
    throw usageError(
      `--milestones ${late} is not before the end of the training, ${epochs} epochs; give earlier ones`,
    );
  }
  if (config.warmup >= epochs && chosen.warmup === undefined) {
    // The default suits trainings of some length; a short one warms up for a part of it.
    return { ...config, warmup: epochs / 5 };
  }
  if (config.warmup >= epochs && given.warmup === undefined) {
    throw usageError(
      `--epochs ${epochs} would end the training in its warm-up of ${config.warmup} epochs; give more`,
    );
  }
  if (config.warmup >= epochs) {
    throw usageError(
      `--warmup ${config.warmup} is not shorter than the training of ${epochs} epochs; give less`,
    );
  }
  return config;
}

/** What the results depend on: a training is resumed with the same only. */
export function settingsOf(config: Config): Settings {
  const { norm, lr, schedule, warmup, momentum, weightDecay, epochs, milestones } = config;
  const { trainImages, testImages, optimizer, clip, ema, labelSmoothing, mixup } = config;
  return {
    norm,
    // `optimizer` itself is what describes it with all of its options.
    optimizerName: optimizer,
    ...(clip === undefined ? {} : { clip }),
    ...(ema === undefined ? {} : { ema }),
    ...(labelSmoothing === 0 ? {} : { labelSmoothing }),
    ...(mixup === undefined ? {} : { mixup }),
    lr,
    schedule,
    warmup,
    momentum,
    weightDecay,
    // A constant rate does not depend on the number of epochs: such a training can be made longer.
    ...(schedule === "constant" ? {} : { epochs }),
    ...(schedule === "step" ? { milestones: milestones.join(",") } : {}),
    ...(trainImages === undefined ? {} : { trainImages }),
    ...(testImages === undefined ? {} : { testImages }),
  };
}

/** What may change when a training is resumed, but by default does not. */
export function notesOf(config: Config, engine: string, threads: number): Settings {
  const { data, init, save, jsonl, backend, checkpointEvery, evalEvery, epochs, strategy } = config;
  const { recalibrate, batchStatistics } = config;
  return {
    epochs,
    backend,
    threads,
    engine,
    evalEvery,
    ...(data === undefined ? {} : { data: resolve(data) }),
    ...(init === undefined ? {} : { init: resolve(init) }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
    ...(save === undefined ? {} : { save: resolve(save) }),
    ...(jsonl === undefined ? {} : { jsonl: resolve(jsonl) }),
    ...(recalibrate === undefined ? {} : { recalibrate }),
    ...(batchStatistics ? { batchStatistics } : {}),
  };
}

/** What a file of the trained weights says of them, so that `pnpm export` need not be told. */
export const weightsMetadata = (config: Config, model: Model): Record<string, string> => ({
  ...modelMetadata(model),
  model: config.model,
  // With running statistics, networks that were trained with any sampling are the same.
  norm: config.strategy === undefined ? config.norm : "bn",
});

const kinds: Readonly<Record<string, "string" | "number" | "boolean">> = {
  data: "string",
  model: "string",
  norm: "string",
  strategy: "string",
  epochs: "number",
  batch: "number",
  micro: "number",
  lr: "number",
  schedule: "string",
  warmup: "number",
  milestones: "string",
  optimizerName: "string",
  clip: "number",
  ema: "number",
  labelSmoothing: "number",
  mixup: "number",
  momentum: "number",
  weightDecay: "number",
  augment: "boolean",
  seed: "number",
  backend: "string",
  threads: "number",
  checkpointEvery: "number",
  evalEvery: "number",
  save: "string",
  jsonl: "string",
  recalibrate: "number",
  batchStatistics: "boolean",
  trainImages: "number",
  testImages: "number",
};

/** The choices that a checkpoint was made with. */
function remembered({ settings, notes }: Checkpoint): Partial<Config> {
  const all: Settings = { ...notes, ...settings };
  const known = Object.entries(kinds).flatMap(([name, kind]) => {
    const value = all[name];
    if (value === undefined) return [];
    if (typeof value !== kind) {
      throw new Error(
        `train: the checkpoint's ${name} is ${value}; it was not made by this command`,
      );
    }
    if (name === "optimizerName") return [["optimizer", optimizerName(`${value}`, name)]];
    if (name === "schedule") return [[name, scheduleName(`${value}`, name)]];
    return [[name, name === "milestones" ? String(value).split(",").map(Number) : value]];
  });
  return Object.fromEntries(known) as Partial<Config>;
}
