// The command line, as typed values.

import {
  above,
  checkExclusive,
  list,
  names,
  oneOf,
  parseArguments,
  type Shapes,
  several,
  shape,
  text,
  usageError,
  whole,
} from "@fewnorm/command-line";
import { backendNames, modelNames, parseNorm } from "@fewnorm/presets";

/** A layer's shape, [N, C, H, W]. */
export type LayerShape = Shapes["NxCxHxW"];

/** What was asked for; what was not is its default, or absent where a suite has one of its own. */
export interface Options {
  /** Suites to run; empty for those that run by default. */
  readonly suites: readonly string[];
  readonly json: string | undefined;
  readonly backend: string;
  readonly threads: number | undefined;
  readonly batch: number | undefined;
  readonly model: string | undefined;
  /** The folder or archive of a data set; absent: the embedded one. */
  readonly data: string | undefined;
  readonly norms: readonly string[] | undefined;
  readonly strategies: readonly string[];
  /** The folder in which peers' packages are looked for. */
  readonly peers: string | undefined;
  /** Files of further peers. */
  readonly peer: readonly string[];
  readonly shapes: readonly LayerShape[] | undefined;
  readonly full: boolean;
  /** Seconds for each suite. */
  readonly time: number;
  readonly seed: number;
}

export const defaults = { backend: "wasm", time: 70, seed: 1 } as const;

const known = {
  json: text,
  backend: oneOf("backend", backendNames),
  threads: whole(1),
  batch: whole(1),
  model: oneOf("model", modelNames),
  data: text,
  norms: names(parseNorm),
  // As in the other commands, where there is one.
  norm: names(parseNorm),
  strategy: several(text),
  peers: text,
  peer: several(text),
  shapes: list(shape("NxCxHxW")),
  full: "flag",
  time: above(0, `${defaults.time}`, "number of seconds"),
  seed: whole(0),
} as const;

/**
 * @param suiteNames what a suite may be called
 * @throws a usage error for suites and options that there are not, that do not go together, or whose value cannot be.
 */
export function parseOptions(argv: readonly string[], suiteNames: readonly string[]): Options {
  const { values, positionals } = parseArguments(argv, known, oneOf("suite", suiteNames));
  checkExclusive(values, "norm", "norms");
  if (values.data !== undefined && positionals.includes("gpu")) {
    throw usageError("gpu measures with the images that pages have, too; leave out --data");
  }
  return {
    suites: suiteNames.filter((name) => positionals.includes(name)),
    json: values.json,
    backend: values.backend ?? defaults.backend,
    threads: values.threads,
    batch: values.batch,
    model: values.model,
    data: values.data,
    norms: values.norms ?? values.norm,
    strategies: values.strategy ?? [],
    peers: values.peers,
    peer: values.peer ?? [],
    shapes: values.shapes,
    full: values.full === true,
    time: values.time ?? defaults.time,
    seed: values.seed ?? defaults.seed,
  };
}
