// The message for tensors that are not a model's.

import type { StateDeclaration } from "@fewnorm/nn";
import { type Shape, sameShape, showShape } from "@fewnorm/tensor";

/** What is missing, not expected and of another shape, each with its names; empty when all fits. */
export function tensorDifferences(
  tensors: ReadonlyMap<string, { readonly shape: Shape }>,
  states: readonly StateDeclaration[],
): string[] {
  const expected = new Set(states.map(({ name }) => name));
  const missing = states.filter(({ name }) => !tensors.has(name)).map(({ name }) => name);
  const unexpected = [...tensors.keys()].filter((name) => !expected.has(name));
  const misshapen = states.flatMap(({ name, shape }) => {
    const found = tensors.get(name)?.shape;
    return found === undefined || sameShape(found, shape)
      ? []
      : [`${name} is ${showShape(found)} there, ${showShape(shape)} here`];
  });
  return [
    ...(missing.length > 0 ? [`missing: ${few(missing)}`] : []),
    ...(unexpected.length > 0 ? [`not expected: ${few(unexpected)}`] : []),
    ...(misshapen.length > 0 ? [few(misshapen)] : []),
  ];
}

/** The first names, and how many more there are. */
export function few(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
