// Arguments of plain JavaScript, where no type refuses a misspelt option.

/** The names of a type's options; of a union, those of all its members. */
type NameOf<O> = O extends unknown ? keyof O & string : never;

/**
 * Checks that `options` is an object of known options; their values are the caller's to check.
 * @param where what a message begins with, such as the function's name
 * @param known the names of all options: with one left out it does not compile
 * @throws TypeError for anything else, and for an option that is not known.
 */
export function checkOptions<O extends object, N extends NameOf<O>>(
  where: string,
  options: O,
  known: readonly N[] &
    ([NameOf<O>] extends [N] ? unknown : { readonly leftOut: Exclude<NameOf<O>, N> }),
): void {
  const names: readonly string[] = known;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(
      `${where}: the options are ${show(options)}; give an object of options: ${names.join(", ")}`,
    );
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(
      `${where}: there is no option "${unknown}"; the options are ${names.join(", ")}`,
    );
  }
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
  throw new TypeError(`${where}: ${name} is ${show(value)}; give ${example}`);
}

/** A value in a message. Objects may be large, and are not written out. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "another object" : String(value);
}
