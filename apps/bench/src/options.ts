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
import type { Suite } from "./suite.ts";

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
  /** Seconds that a peer may take for an answer. */
  readonly patience: number;
  readonly shapes: readonly LayerShape[] | undefined;
  readonly full: boolean;
  /** Seconds for each suite. */
  readonly time: number;
  readonly seed: number;
}

export const defaults = { backend: "wasm", time: 70, seed: 1, patience: 600 } as const;

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
  patience: above(0, `${defaults.patience}`, "number of seconds"),
  shapes: list(shape("NxCxHxW")),
  full: "flag",
  time: above(0, `${defaults.time}`, "number of seconds"),
  seed: whole(0),
} as const;

/** The suites of these names, or those that run without a name. */
export const chosenSuites = (names: readonly string[], suites: readonly Suite[]): Suite[] =>
  suites.filter(({ name, byDefault }) => (names.length === 0 ? byDefault : names.includes(name)));

/**
 * @param suites all that there are
 * @throws a usage error for suites and options that there are not, that do not go together, that no suite takes of
 *   those that will run, or whose value cannot be.
 */
export function parseOptions(argv: readonly string[], suites: readonly Suite[]): Options {
  const suiteNames = suites.map(({ name }) => name);
  const { values, positionals } = parseArguments(argv, known, oneOf("suite", suiteNames));
  checkExclusive(values, "norm", "norms");
  checkExclusive(values, "full", "shapes");
  const running = chosenSuites(positionals, suites);
  checkTaken(values, running, suites);
  const only = running.length === 1 ? running[0]?.name : undefined;
  if (only === "norm") checkExclusive(values, "batch", "shapes");
  if (only === "gpu" && values.backend?.startsWith("gpu") === false) {
    throw usageError(
      `gpu measures modes of gpu.js, and --backend ${values.backend} is none; give e.g. gpu:webasm`,
    );
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
    patience: values.patience ?? defaults.patience,
    shapes: values.shapes,
    full: values.full === true,
    time: values.time ?? defaults.time,
    seed: values.seed ?? defaults.seed,
  };
}

/** @throws a usage error for an option that none of the suites that run would take. */
function checkTaken(values: object, running: readonly Suite[], suites: readonly Suite[]): void {
  for (const given of Object.keys(values)) {
    const option = given === "norm" ? "norms" : given;
    const taking = suites.filter(({ takes }) => takes.some((one) => one === option));
    if (taking.length === 0 || taking.some((suite) => running.includes(suite))) continue;
    const names = (some: readonly Suite[]) => some.map(({ name }) => name).join(", ");
    throw usageError(
      `--${given} is for ${names(taking)}, and would be ignored by ${names(running)}; leave it out`,
    );
  }
}
