// The command line, as typed values.

import { parseArgs } from "node:util";
import { backendNames, nearestName, parseNorm } from "@fewnorm/presets";
import { defaults, mostMethods, type Settings, splitProblem, whole } from "../settings.ts";
import { usageError } from "./failure.ts";

/** What was asked for. */
export interface Options {
  readonly help: boolean;
  /** The backend stands in `backend`, by any of the presets' names. */
  readonly settings: Omit<Settings, "engine" | "threads">;
  readonly backend: string;
  readonly threads: number | undefined;
  /** Training images that each method sees. */
  readonly images: number;
}

export const defaultImages = 6000;

const known = {
  norms: { type: "string" },
  // As in the other commands, where there is one.
  norm: { type: "string" },
  micro: { type: "string" },
  batch: { type: "string" },
  lr: { type: "string" },
  images: { type: "string" },
  seed: { type: "string" },
  backend: { type: "string" },
  threads: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** @throws Error with exit status 2 for options that there are not, or whose value cannot be. */
export function parseOptions(argv: readonly string[]): Options {
  const values = parse(argv);
  const { backend = "wasm" } = values;
  if (!backendNames.includes(backend)) {
    throw usageError(
      `there is no backend "${backend}"${didYouMean(backend, backendNames)}; there is ${backendNames.join(", ")}`,
    );
  }
  const norms = values.norms ?? values.norm;
  const settings = {
    methods: norms === undefined ? defaults.methods : methodList(norms),
    micro: count("micro", values.micro, 1) ?? defaults.micro,
    batch: count("batch", values.batch, 1) ?? defaults.batch,
    learningRate: rate(values.lr) ?? defaults.learningRate,
    seed: count("seed", values.seed, 0) ?? defaults.seed,
  };
  const problem = splitProblem(settings.batch, settings.micro);
  if (problem !== undefined) throw usageError(problem);
  return {
    help: values.help === true,
    settings,
    backend,
    threads: count("threads", values.threads, 1),
    images: count("images", values.images, 1) ?? defaultImages,
  };
}

function parse(argv: readonly string[]) {
  try {
    // pnpm hands a separating "--" on to the script.
    const args = argv[0] === "--" ? argv.slice(1) : [...argv];
    return parseArgs({ args, options: known, allowPositionals: false }).values;
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

function methodList(text: string): string[] {
  const names = [...new Set(text.split(","))];
  if (names.length > mostMethods) {
    throw usageError(`--norms has ${names.length} methods; compare at most ${mostMethods}`);
  }
  for (const name of names) {
    try {
      parseNorm(name.endsWith(whole) ? name.slice(0, -whole.length) : name);
    } catch (error) {
      throw usageError(`--norms: ${(error as Error).message.replace(/^parseNorm: /, "")}`);
    }
  }
  return names;
}

function count(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw usageError(`--${option} ${text} is not a whole number >= ${least}`);
}

function rate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw usageError(`--lr ${text} is not a number above 0; give e.g. ${defaults.learningRate}`);
}
