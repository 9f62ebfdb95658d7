// What the contract's cases share.

import { add, type Shape, trace, type Values } from "@fewnorm/tensor";
import type { NdArray } from "ndarray";
import type { Backend } from "../backend.ts";
import { type Assertions, rowMajor } from "./comparison.ts";

export interface ContractCase {
  readonly name: string;
  check(t: Assertions, backend: Backend): Promise<void>;
}

/** Asserts that the promise is rejected with this kind of error and that its message says what about. */
export async function rejects(
  t: Assertions,
  attempt: () => Promise<unknown>,
  kind: typeof Error | typeof RangeError | typeof TypeError,
  words: RegExp,
  what: string,
): Promise<void> {
  try {
    await attempt();
  } catch (error) {
    const right = error instanceof kind && words.test(error.message);
    t.ok(right, `${what}: ${kind.name} that matches ${words}; it is ${error}`);
    return;
  }
  t.ok(false, `${what}: must be an error`);
}

export function equalValues(
  t: Assertions,
  actual: NdArray<Values>,
  expected: ArrayLike<number>,
  what: string,
) {
  const elements = Array.from(rowMajor(actual));
  const equal = elements.length === expected.length && elements.every((x, i) => x === expected[i]);
  t.ok(equal, equal ? what : `${what}: [${elements}], expected [${Array.from(expected)}]`);
}

export const countTo = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => i + 1);

/** y = x + w, w ← w + x. */
export const accumulating = (shape: Shape) =>
  trace((builder) => {
    const [x, w] = [builder.input("x", shape), builder.state("w", shape)];
    builder.output("y", add(x, w));
    builder.update("w", add(w, x));
  });
