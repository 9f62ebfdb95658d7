// The command line, as typed values.

import { parseArgs } from "node:util";
import { backendNames, modelNames, nearestName, parseNorm } from "@fewnorm/presets";
import { usageError } from "./failure.ts";

/** A layer's shape, [N, C, H, W]. */
export type LayerShape = readonly [number, number, number, number];

/** What was asked for; what was not is its default, or absent where a suite has one of its own. */
export interface Options {
  readonly help: boolean;
  /** Suites to run; empty for those that run by default. */
  readonly suites: readonly string[];
  readonly json: string | undefined;
  readonly backend: string;
  readonly threads: number | undefined;
  readonly batch: number | undefined;
  readonly model: string | undefined;
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
  json: { type: "string" },
  backend: { type: "string" },
  threads: { type: "string" },
  batch: { type: "string" },
  model: { type: "string" },
  norms: { type: "string" },
  // As in the other commands, where there is one.
  norm: { type: "string" },
  strategy: { type: "string", multiple: true },
  peers: { type: "string" },
  peer: { type: "string", multiple: true },
  shapes: { type: "string" },
  full: { type: "boolean" },
  time: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/**
 * @param suiteNames what a suite may be called
 * @throws Error with exit status 2 for suites and options that there are not, or whose value cannot be.
 */
export function parseOptions(argv: readonly string[], suiteNames: readonly string[]): Options {
  const { values, positionals } = parse(argv);
  for (const name of positionals) checkName("suite", name, suiteNames);
  const { backend = defaults.backend, model } = values;
  const norms = values.norms ?? values.norm;
  checkName("backend", backend, backendNames);
  if (model !== undefined) checkName("model", model, modelNames);
  return {
    help: values.help === true,
    suites: suiteNames.filter((name) => positionals.includes(name)),
    json: nonEmpty("json", values.json),
    backend,
    threads: whole("threads", values.threads, 1),
    batch: whole("batch", values.batch, 1),
    model,
    norms: norms === undefined ? undefined : normList(norms),
    strategies: values.strategy ?? [],
    peers: nonEmpty("peers", values.peers),
    peer: values.peer ?? [],
    shapes: values.shapes === undefined ? undefined : values.shapes.split(",").map(shapeOf),
    full: values.full === true,
    time: seconds(values.time) ?? defaults.time,
    seed: whole("seed", values.seed, 0) ?? defaults.seed,
  };
}

function parse(argv: readonly string[]) {
  try {
    // pnpm hands a separating "--" on to the script.
    const args = argv[0] === "--" ? argv.slice(1) : [...argv];
    return parseArgs({ args, options: known, allowPositionals: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [, name = ""] = /'--?([^'\s]+)/.exec(message) ?? [];
    if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
      throw usageError(`there is no option --${name}${didYouMean(name, Object.keys(known), "--")}`);
    }
    throw usageError((message.split("\n")[0] ?? message).replace(/\.$/, ""));
  }
}

function didYouMean(name: string, names: readonly string[], dashes = ""): string {
  const near = nearestName(name, names);
  return near === undefined ? "" : `, did you mean ${dashes}${near}?`;
}

function checkName(kind: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  throw usageError(
    `there is no ${kind} "${name}"${didYouMean(name, names)}; there is ${names.join(", ")}`,
  );
}

function nonEmpty(option: string, text: string | undefined): string | undefined {
  if (text === "") throw usageError(`--${option} is empty; give a value`);
  return text;
}

function whole(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw usageError(`--${option} ${text} is not a whole number >= ${least}`);
}

function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw usageError(`--time ${text} is not a number of seconds above 0; give e.g. ${defaults.time}`);
}

function normList(text: string): string[] {
  const names = [...new Set(text.split(","))];
  for (const name of names) {
    try {
      parseNorm(name);
    } catch (error) {
      throw usageError(`--norms: ${(error as Error).message.replace(/^parseNorm: /, "")}`);
    }
  }
  return names;
}

function shapeOf(text: string): LayerShape {
  const sizes = /^[1-9]\d*(x[1-9]\d*){3}$/.test(text) ? text.split("x").map(Number) : [];
  const [n, c, h, w] = sizes;
  if (n === undefined || c === undefined || h === undefined || w === undefined) {
    throw usageError(`--shapes: "${text}" is not NxCxHxW, such as 128x16x32x32`);
  }
  return [n, c, h, w];
}
