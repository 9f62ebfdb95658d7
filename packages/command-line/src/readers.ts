// What may stand behind an option: from its text to a value.

import { unknownName, withChoices } from "@fewnorm/presets";

/**
 * The value that a text stands for.
 * @param what whose text it is, for the message: `--batch`
 * @throws RangeError that says what is wrong with it
 */
export type Reader<T> = (value: string, what: string) => T;

/** Anything but nothing: a name, a file. */
export const text: Reader<string> = (value, what) => {
  if (value === "") throw new RangeError(`${what} is empty; give a value`);
  return value;
};

/** A whole number. */
export const whole =
  (least: number): Reader<number> =>
  (value, what) => {
    const parsed = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isSafeInteger(parsed) && parsed >= least) return parsed;
    throw new RangeError(`${what} ${value} is not a whole number >= ${least}`);
  };

/** A number of `least` or more. */
export const atLeast = (least: number, example: string): Reader<number> =>
  number((value) => value >= least, `number >= ${least}`, example);

/** A number above `limit`; `kind` says of what. */
export const above = (limit: number, example: string, kind = "number"): Reader<number> =>
  number((value) => value > limit, `${kind} above ${limit}`, example);

/** A number from 0 to below 1. */
export const fraction = (example: string): Reader<number> =>
  number((value) => value >= 0 && value < 1, "number from 0 to below 1", example);

const number =
  (fits: (value: number) => boolean, wanted: string, example: string): Reader<number> =>
  (value, what) => {
    const parsed = value.trim() === "" ? Number.NaN : Number(value);
    const refuse = (problem: string): never => {
      throw new RangeError(`${what} ${value} is not ${problem}; give e.g. ${example}`);
    };
    if (!Number.isFinite(parsed)) return refuse(`a ${wanted}`);
    // JavaScript also counts in twos, eights and sixteens: 0b1, 0o7, 0x10.
    if (/[box]/i.test(value)) return refuse("in decimal notation");
    return fits(parsed) ? parsed : refuse(`a ${wanted}`);
  };

/** One of some names. @param kind what they are names of: `backend` */
export const oneOf =
  <Name extends string>(kind: string, known: readonly Name[]): Reader<Name> =>
  (value) => {
    const name = known.find((one) => one === value);
    if (name !== undefined) return name;
    const problem = unknownName(kind, value, known);
    throw new RangeError(withChoices(problem, `${kind}s are ${known.join(", ")}`));
  };

/** Values with commas between. */
export const list =
  <T>(read: Reader<T>): Reader<readonly T[]> =>
  (value, what) =>
    value.split(",").map((part) => read(part, what));

/**
 * A name.
 * @param parse throws RangeError for a name that there is not, as the presets' functions do
 */
export const name =
  (parse: (name: string) => unknown): Reader<string> =>
  (value, what) => {
    try {
      parse(value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Which function refuses it is of no use here.
      const problem = error.message.replace(/^\w+: /, "");
      throw new RangeError(`${what}: ${problem}`, { cause: error });
    }
    return value;
  };

/** Names with commas between, each as `name` reads it; those that are repeated count once. */
export const names =
  (parse: (name: string) => unknown): Reader<readonly string[]> =>
  (value, what) =>
    [...new Set(value.split(","))].map((one) => name(parse)(one, what));

/** Shapes by how they are written: of an image and of a batch. */
export interface Shapes {
  readonly CxHxW: readonly [number, number, number];
  readonly NxCxHxW: readonly [number, number, number, number];
}

const exampleShapes = { CxHxW: "3x32x32", NxCxHxW: "128x16x32x32" } as const;

/** Sizes of 1 or more with an x between. */
export const shape =
  <Form extends keyof Shapes>(form: Form): Reader<Shapes[Form]> =>
  (value, what) => {
    const sizes = value.split(/[x×]/);
    if (
      sizes.length === form.split("x").length &&
      sizes.every((size) => /^[1-9]\d{0,8}$/.test(size))
    ) {
      return sizes.map(Number) as unknown as Shapes[Form];
    }
    throw new RangeError(
      `${what} ${value} is not a shape ${form}; give e.g. ${exampleShapes[form]}`,
    );
  };
