// A command line, as typed values.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { nearestName } from "@fewnorm/presets";
import type { Reader } from "./readers.ts";
import { usageError } from "./usage-error.ts";

/** An option: one without a value, one with a value, or one that may be given repeatedly. */
export type Option = "flag" | Reader<unknown> | { readonly each: Reader<unknown> };

/** Values by option; what was not given is absent. */
export type Values<Options extends Readonly<Record<string, Option>>> = {
  readonly [Name in keyof Options]?: Options[Name] extends Reader<infer T>
    ? T
    : Options[Name] extends { readonly each: Reader<infer T> }
      ? readonly T[]
      : boolean;
};

/** What a command line says. */
export interface Parsed<Options extends Readonly<Record<string, Option>>, Argument> {
  readonly values: Values<Options>;
  /** What is no option, in its order. */
  readonly positionals: readonly Argument[];
}

/** An option that may be given repeatedly. */
export const several = <T>(read: Reader<T>): { readonly each: Reader<T> } => ({ each: read });

/**
 * Reads a command line.
 * @param options by name in camelCase: `foldNorms` is `--fold-norms`
 * @param positional what else may stand there; without it, nothing
 * @throws a usage error for options that there are not, that are given twice, or whose value cannot be.
 */
export function parseArguments<
  const Options extends Readonly<Record<string, Option>>,
  Argument = never,
>(
  argv: readonly string[],
  options: Options,
  positional?: Reader<Argument>,
): Parsed<Options, Argument> {
  const { values, positionals } = split(argv, options);
  const read: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const given = values[kebabCase(name)];
    if (given === undefined) continue;
    read[name] = option === "flag" ? true : readOption(dashed(name), option, given as string[]);
  }
  return {
    values: read as Values<Options>,
    positionals: positionals.map((word) => {
      if (positional !== undefined) return readText(positional, word, "an argument");
      throw usageError(`"${word}" belongs to no option; leave it out`);
    }),
  };
}

/** @throws a usage error where two options are given of which there can be one. */
export function checkExclusive<Name extends string>(
  values: { readonly [name in Name]?: unknown },
  one: Name,
  other: Name,
): void {
  if (values[one] === undefined || values[other] === undefined) return;
  throw usageError(`${dashed(one)} and ${dashed(other)} exclude each other; give one of them`);
}

/** What `read` makes of a text. @throws a usage error in place of its RangeError. */
export function readText<T>(read: Reader<T>, text: string, what: string): T {
  try {
    return read(text, what);
  } catch (error) {
    if (error instanceof RangeError) throw usageError(error.message, error);
    throw error;
  }
}

function readOption(
  what: string,
  option: Exclude<Option, "flag">,
  given: readonly string[],
): unknown {
  if (typeof option === "object") return given.map((text) => readText(option.each, text, what));
  const [text = "", ...more] = given;
  if (more.length > 0) throw usageError(`${what} is given ${given.length} times; give it once`);
  return readText(option, text, what);
}

function split(argv: readonly string[], options: Readonly<Record<string, Option>>) {
  // Whoever runs the command sees to --help; here it is only known, so that it can be meant by --hlep.
  const known: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean", short: "h" } };
  for (const [name, option] of Object.entries(options)) {
    known[kebabCase(name)] =
      option === "flag" ? { type: "boolean" } : { type: "string", multiple: true };
  }
  try {
    return parseArgs({ args: [...argv], options: known, allowPositionals: true });
  } catch (error) {
    throw usageError(explain(error as NodeJS.ErrnoException, Object.keys(known)), error);
  }
}

/** What parseArgs complains of, in one sentence. */
function explain({ code, message }: NodeJS.ErrnoException, known: readonly string[]): string {
  const [, option = ""] = /'(--?[^'\s=]+)/.exec(message) ?? [];
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const near = nearestName(option.replace(/^-+/, ""), known);
    return `there is no option ${option}${near === undefined ? "" : `, did you mean --${near}?`}`;
  }
  if (/ambiguous/.test(message)) {
    return `${option} needs a value; one that begins with - is written ${option}=-1`;
  }
  if (/argument missing/.test(message)) return `${option} needs a value; give one`;
  return (message.split("\n")[0] ?? message).replace(/\.$/, "");
}

const kebabCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const dashed = (name: string): string => `--${kebabCase(name)}`;
