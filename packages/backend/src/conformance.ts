// The conformance suite that every backend passes, handed the test function of the caller.

import type { Node } from "@fewnorm/tensor";
import { foldIn, key } from "@fewnorm/tensor";
import type { Backend } from "./backend.ts";
import { primitiveCases } from "./conformance/cases/primitives.ts";
import { type Assertions, compare, type Parties } from "./conformance/comparison.ts";
import { type Case, record } from "./conformance/recording.ts";

type Assert = Assertions;

/** Registers a test, as tape's `test` does. */
export type TestFunction = (name: string, body: (t: Assert) => Promise<void>) => void;

/** Makes a backend. The suite disposes it. */
export type BackendFactory = () => Backend | Promise<Backend>;

/** Options of {@link conformance}. */
export interface ConformanceOptions {
  /** Makes the backend whose results are taken for right: one that computes in float64. */
  readonly oracle: BackendFactory;
}

/**
 * Registers the tests that a backend has to pass.
 *
 * Results are compared with the oracle's, element by element, with the tolerance
 * 8 · √k · u · magnitude: u = 2^-24 (2^-53 for a float64 backend), k counts the roundings that meet in
 * the element, and the magnitude is what the same graph gives when all its numbers are replaced by
 * their absolute values, so that cancellation is allowed for, and only where it occurs. Values that
 * are only moved must be equal.
 *
 *     conformance(test, "wasm", () => createWasmBackend(), { oracle: () => createReferenceBackend() });
 */
export function conformance(
  test: TestFunction,
  name: string,
  createBackend: BackendFactory,
  options: ConformanceOptions,
): void {
  const withBackends = (title: string, body: (t: Assert, parties: Parties) => Promise<void>) =>
    test(`${name}: ${title}`, async (t) => {
      const parties = { backend: await createBackend(), oracle: await options.oracle() };
      try {
        await body(t, parties);
      } finally {
        await parties.backend.dispose();
        await parties.oracle.dispose();
      }
    });

  for (const [op, cases] of Object.entries(primitiveCases)) {
    withBackends(op, async (t, parties) => {
      for (const [i, one] of cases.entries()) await compareCase(t, op, one, i, parties);
    });
  }
}

async function compareCase(t: Assert, op: string, one: Case, index: number, parties: Parties) {
  for (const operandsAre of ["fed", "held"] as const) {
    const recording = record(one, foldIn(key(1), index), operandsAre);
    const title = `${op} ${one.name}, operands ${operandsAre}`;
    const contains = recording.graph.nodes.some((node: Node) => node.op === op);
    t.ok(contains || op === "input" || op === "state", `${title}: the graph contains ${op}`);
    await compare(t, title, parties, recording);
  }
}
