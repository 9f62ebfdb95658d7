// The command line, as typed values.

import {
  above,
  checkExclusive,
  names,
  oneOf,
  parseArguments,
  usageError,
  whole,
} from "@fewnorm/command-line";
import { backendNames, parseNorm } from "@fewnorm/presets";
import { defaults, mostMethods, type Settings, splitProblem, unsplit } from "../settings.ts";

/** What was asked for. */
export interface Options {
  /** The backend stands in `backend`, by any of the presets' names. */
  readonly settings: Omit<Settings, "engine" | "threads">;
  readonly backend: string;
  readonly threads: number | undefined;
  /** Training images that each method sees. */
  readonly images: number;
}

export const defaultImages = 6000;

const methods = names((name) =>
  parseNorm(name.endsWith(unsplit) ? name.slice(0, -unsplit.length) : name),
);

const known = {
  norms: methods,
  // As in the other commands, where there is one.
  norm: methods,
  micro: whole(1),
  batch: whole(1),
  lr: above(0, `${defaults.learningRate}`),
  images: whole(1),
  seed: whole(0),
  backend: oneOf("backend", backendNames),
  threads: whole(1),
} as const;

/** @throws a usage error for options that there are not, or whose value cannot be. */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArguments(argv, known);
  checkExclusive(values, "norm", "norms");
  const settings = {
    methods: values.norms ?? values.norm ?? defaults.methods,
    micro: values.micro ?? defaults.micro,
    batch: values.batch ?? defaults.batch,
    learningRate: values.lr ?? defaults.learningRate,
    seed: values.seed ?? defaults.seed,
  };
  const { length } = settings.methods;
  if (length > mostMethods) {
    throw usageError(`--norms has ${length} methods; compare at most ${mostMethods}`);
  }
  const problem = splitProblem(settings.batch, settings.micro);
  if (problem !== undefined) throw usageError(`--batch and --micro: ${problem}`);
  return {
    settings,
    backend: values.backend ?? "wasm",
    threads: values.threads,
    images: values.images ?? defaultImages,
  };
}
