// The command line, as typed values.

import { parseArgs } from "node:util";
import { nearestName } from "@fewnorm/presets";
import type { Config } from "./config.ts";
import { usageError } from "./failure.ts";

/** What was given on the command line; what was not is absent. */
export interface Arguments {
  readonly help: boolean;
  readonly given: Partial<Config>;
}

type Parse = (option: string, text: string) => string | number | readonly number[];

const text: Parse = (option, value) => {
  if (value === "") throw usageError(`--${option} is empty; give a value`);
  return value;
};

const number =
  (least: number, example: string): Parse =>
  (option, value) => {
    const parsed = value.trim() === "" ? Number.NaN : Number(value);
    if (Number.isFinite(parsed) && parsed >= least) return parsed;
    throw usageError(`--${option} ${value} is not a number >= ${least}; give e.g. ${example}`);
  };

const whole =
  (least: number): Parse =>
  (option, value) => {
    const parsed = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isSafeInteger(parsed) && parsed >= least) return parsed;
    throw usageError(`--${option} ${value} is not a whole number >= ${least}`);
  };

const list: Parse = (option, value) =>
  value.split(",").map((part) => whole(0)(option, part) as number);

/** Options that take a value, by the name of what they set. */
const valued = {
  data: text,
  model: text,
  norm: text,
  epochs: whole(1),
  batch: whole(1),
  micro: whole(1),
  lr: number(0, "0.1"),
  schedule: text,
  warmup: number(0, "2"),
  milestones: list,
  momentum: number(0, "0.9"),
  "weight-decay": number(0, "5e-4"),
  optimizer: text,
  clip: number(0, "1"),
  ema: number(0, "0.99"),
  "label-smoothing": number(0, "0.1"),
  mixup: number(0, "0.2"),
  seed: whole(0),
  init: text,
  save: text,
  out: text,
  backend: text,
  threads: whole(1),
  "checkpoint-every": whole(1),
  "eval-every": whole(1),
  recalibrate: whole(1),
  "train-images": whole(1),
  "test-images": whole(1),
  jsonl: text,
} satisfies Record<string, Parse>;

const flags = ["resume", "augment", "no-augment", "batch-statistics", "quiet", "help"] as const;

const options = {
  ...(Object.fromEntries(
    Object.keys(valued).map((name) => [name, { type: "string", multiple: true }]),
  ) as Record<keyof typeof valued, { type: "string"; multiple: true }>),
  ...(Object.fromEntries(flags.map((name) => [name, { type: "boolean" }])) as Record<
    (typeof flags)[number],
    { type: "boolean" }
  >),
};

/** @throws Error with exit status 2 for options that there are not, or whose value cannot be. */
export function parseArguments(argv: readonly string[]): Arguments {
  const values = parse(argv);
  const given: Record<string, unknown> = {};
  for (const [option, read] of Object.entries(valued) as [keyof typeof valued, Parse][]) {
    const all = values[option];
    if (all === undefined) continue;
    if (all.length > 1) throw usageError(`--${option} is given ${all.length} times; give it once`);
    given[camelCase(option)] = read(option, all[0] as string);
  }
  if (values.augment && values["no-augment"]) {
    throw usageError("--augment and --no-augment exclude each other; give one of them");
  }
  if (values.augment) given.augment = true;
  if (values["no-augment"]) given.augment = false;
  if (values.resume) given.resume = true;
  if (values.quiet) given.quiet = true;
  if (values["batch-statistics"]) given.batchStatistics = true;
  return { help: values.help === true, given: given as Partial<Config> };
}

function parse(argv: readonly string[]) {
  try {
    // pnpm hands a separating "--" on to the script.
    const args = argv[0] === "--" ? argv.slice(1) : [...argv];
    return parseArgs({ args, options, allowPositionals: false }).values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [, name = ""] = /'--?([^'\s]+)/.exec(message) ?? [];
    if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
      const near = nearestName(name, Object.keys(options));
      const meant = near === undefined ? "" : `, did you mean --${near}?`;
      throw usageError(`there is no option --${name}${meant}`);
    }
    if (code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE" && /ambiguous/.test(message)) {
      throw usageError(`--${name} needs a value; one that begins with - is written --${name}=-1`);
    }
    throw usageError((message.split("\n")[0] ?? message).replace(/\.$/, ""));
  }
}

function camelCase(option: string): string {
  return option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
