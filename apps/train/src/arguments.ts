// The command line, as typed values.

import {
  above,
  atLeast,
  checkExclusive,
  fraction,
  list,
  name,
  parseArguments as parse,
  text,
  whole,
} from "@fewnorm/command-line";
import { parseBackend, parseModel, parseNorm } from "@fewnorm/presets";
import { type Config, optimizerName, scheduleName } from "./config.ts";

const options = {
  data: text,
  model: name(parseModel),
  norm: name(parseNorm),
  strategy: text,
  epochs: whole(1),
  batch: whole(1),
  micro: whole(1),
  lr: atLeast(0, "0.1"),
  schedule: scheduleName,
  warmup: atLeast(0, "2"),
  milestones: list(whole(0)),
  momentum: fraction("0.9"),
  weightDecay: atLeast(0, "5e-4"),
  optimizer: optimizerName,
  clip: above(0, "1"),
  ema: fraction("0.99"),
  labelSmoothing: fraction("0.1"),
  mixup: above(0, "0.2"),
  augment: "flag",
  noAugment: "flag",
  seed: whole(0),
  init: text,
  save: text,
  out: text,
  resume: "flag",
  backend: name(parseBackend),
  threads: whole(1),
  checkpointEvery: whole(1),
  evalEvery: whole(1),
  recalibrate: whole(1),
  batchStatistics: "flag",
  trainImages: whole(1),
  testImages: whole(1),
  jsonl: text,
  quiet: "flag",
} as const;

/**
 * What was given on the command line; what was not is absent.
 * @throws a usage error for options that there are not, or whose value cannot be.
 */
export function parseArguments(argv: readonly string[]): Partial<Config> {
  const { values } = parse(argv, options);
  checkExclusive(values, "augment", "noAugment");
  checkExclusive(values, "norm", "strategy");
  const { noAugment, ...given } = values;
  return noAugment ? { ...given, augment: false } : given;
}
