// Arguments of plain JavaScript, where no type refuses a misspelt option.

const kinds = {
  number: "a number",
  boolean: "true or false",
  string: "a string",
  function: "a function",
  array: "an array",
  any: "a value",
} as const;

/** What an option's value is: of one type, or `any`, which is left to the function that takes it. */
export type OptionKind = keyof typeof kinds;

/** The names of a type's options; of a union, those of all its members. */
type NameOf<O> = O extends unknown ? keyof O & string : never;

/** The type of an option, where it is given. */
type ValueOf<O, N> = Exclude<
  O extends unknown ? (N extends keyof O ? O[N] : never) : never,
  undefined
>;

type KindOf<V> = [V] extends [number]
  ? "number"
  : [V] extends [boolean]
    ? "boolean"
    : [V] extends [string]
      ? "string"
      : [V] extends [(...args: never) => unknown]
        ? "function"
        : [V] extends [readonly unknown[]]
          ? "array"
          : "any";

/**
 * Checks that `options` is an object of known options, and each of the kind that is known of it. An option that is
 * undefined is one that is left out; what range a number lies in is the caller's to check.
 * @param where what a message begins with, such as the function's name
 * @param known the kinds of all options: with one left out, or of another type, it does not compile
 * @throws TypeError for anything else, for an option that is not known, and for a value of another kind.
 */
export function checkOptions<O extends object>(
  where: string,
  options: O,
  known: { readonly [N in NameOf<O>]: KindOf<ValueOf<O, N>> | "any" },
): void {
  const names = Object.keys(known);
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(
      `${where}: the options are ${showValue(options)}; give an object of options: ${names.join(", ")}`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name)) {
      throw new TypeError(
        `${where}: there is no option "${name}"; the options are ${names.join(", ")}`,
      );
    }
    if (value !== undefined) checkKind(where, name, value, known[name as NameOf<O>]);
  }
}

/**
 * Checks that `value` is of one type.
 * @param name what a message calls it
 * @throws TypeError for one of another.
 */
export function checkKind(where: string, name: string, value: unknown, kind: OptionKind): void {
  if (kind === "any" || (kind === "array" ? Array.isArray(value) : typeof value === kind)) return;
  throw new TypeError(`${where}: ${name} is ${showValue(value)}; give ${kinds[kind]}`);
}

/**
 * Checks that `value` is what it should be, by a method that it must have.
 * @param name what a message calls it
 * @param example what to give instead
 * @throws TypeError for a value without the method.
 */
export function checkMethod(
  where: string,
  name: string,
  value: unknown,
  method: string,
  example: string,
): void {
  if (typeof (value as Record<string, unknown> | undefined | null)?.[method] === "function") return;
  throw new TypeError(`${where}: ${name} is ${showValue(value)}; give ${example}`);
}

/**
 * A count, if it is one.
 * @param name what a message calls it
 * @throws RangeError for what is no whole number from 1.
 */
export function checkCount(where: string, name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${where}: ${name} is ${showValue(value)}; give a whole number >= 1`);
}

/** A value as messages show it. Objects may be large, and are not written out. */
export function showValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "another object" : String(value);
}
