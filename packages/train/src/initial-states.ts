// First values of parameters, buffers and optimizer slots.

import type { StateDeclaration } from "@fewnorm/nn";
import { foldIn, type Key } from "@fewnorm/tensor";

/**
 * The first value of every state. Each draws from a key of its own, made from its name: a layer starts
 * with the same weights whatever stands around it, so that normalizations can be compared.
 */
export function initializeStates(
  declarations: readonly StateDeclaration[],
  key: Key,
): Map<string, Float32Array> {
  return new Map(
    declarations.map(({ name, shape, initialize }) => [
      name,
      initialize(shape, foldIn(key, hashName(name))),
    ]),
  );
}

/** 32-bit FNV-1a of the name's UTF-16 units. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
