// The command line, as typed values.

import { parseArgs } from "node:util";

export interface Arguments {
  readonly help: boolean;
  /** Models to tell of in detail; none: all of them, a line each. */
  readonly names: readonly string[];
  readonly norm: string;
  readonly batch: number;
  /** What differs from what each model was published for. */
  readonly sizes: {
    readonly classes?: number;
    readonly inputShape?: readonly [number, number, number];
  };
}

/** A mistake in how the command was called: exit status 2 instead of 1. */
export function usageError(message: string): Error {
  return Object.assign(new Error(`models: ${message}; see pnpm models --help`), { exitCode: 2 });
}

const options = {
  norm: { type: "string" },
  input: { type: "string" },
  classes: { type: "string" },
  batch: { type: "string" },
  help: { type: "boolean" },
} as const;

/** @throws Error with exit status 2 for options that there are not, or whose value cannot be. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv);
  const { norm = "bn", input, classes, batch = "32", help = false } = values;
  return {
    help,
    names: positionals,
    norm,
    batch: whole("batch", batch),
    sizes: {
      ...(classes === undefined ? {} : { classes: whole("classes", classes) }),
      ...(input === undefined ? {} : { inputShape: shape(input) }),
    },
  };
}

function parse(argv: readonly string[]) {
  try {
    // pnpm hands a separating "--" on to the script.
    const args = argv[0] === "--" ? argv.slice(1) : [...argv];
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw usageError(((error as Error).message.split(/[.\n]/)[0] ?? "").trim());
  }
}

function whole(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`--${option} ${text} is not a whole number >= 1`);
}

function shape(text: string): readonly [number, number, number] {
  const sizes = text.split("x").map((size) => whole("input", size));
  if (sizes.length === 3) return sizes as [number, number, number];
  throw usageError(`--input ${text} is not a shape CxHxW; give e.g. 3x32x32`);
}
