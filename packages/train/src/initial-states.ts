// First values of parameters, buffers and optimizer slots.

import type { StateDeclaration } from "@fewnorm/nn";
import { foldIn, type Key } from "@fewnorm/tensor";
import { checksum } from "./checksum.ts";

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

const hashName = (name: string): number =>
  checksum(Array.from({ length: name.length }, (_, i) => name.charCodeAt(i)));
