// The conformance suite that every backend passes, handed the test function of the caller.

import { foldIn, type Graph, type Key, key } from "@fewnorm/tensor";
import type { Backend } from "./backend.ts";
import { primitiveCases } from "./conformance/cases/primitives.ts";
import { reuseCases } from "./conformance/cases/reuse.ts";
import { stepCases } from "./conformance/cases/steps.ts";
import { viewCases } from "./conformance/cases/views.ts";
import { type Assertions, compare, type Parties } from "./conformance/comparison.ts";
import { lifetimeContract } from "./conformance/contract-lifetimes.ts";
import { runContract } from "./conformance/contract-runs.ts";
import { stateContract } from "./conformance/contract-state.ts";
import { randomGraph } from "./conformance/random-graph.ts";
import { type Case, record } from "./conformance/recording.ts";

/** Registers a test, as tape's `test` does. */
export type TestFunction = (name: string, body: (t: Assertions) => Promise<void>) => void;

/** Makes a backend. The suite disposes it. */
export type BackendFactory = () => Backend | Promise<Backend>;

/** Options of {@link conformance}. */
export interface ConformanceOptions {
  /** Makes the backend whose results are taken for right: one that computes in float64. */
  readonly oracle: BackendFactory;
  /** How many random graphs are compared (default 50), and the seed that they come from (default 3). */
  readonly random?: { readonly graphs?: number; readonly seed?: number };
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
  const withBackends = (title: string, body: (t: Assertions, parties: Parties) => Promise<void>) =>
    test(`${name}: ${title}`, async (t) => {
      const parties = { backend: await createBackend(), oracle: await options.oracle() };
      try {
        await body(t, parties);
      } finally {
        await parties.backend.dispose();
        await parties.oracle.dispose();
      }
    });

  for (const { name: title, check } of [...stateContract, ...runContract, ...lifetimeContract]) {
    withBackends(title, (t, { backend }) => check(t, backend));
  }
  for (const [op, cases] of Object.entries(primitiveCases)) {
    withBackends(op, async (t, parties) => {
      for (const [i, one] of cases.entries()) {
        const contains = containsPrimitive(one, op);
        t.ok(contains, `${op}: ${one.name} ${contains ? "is" : "must be"} a case of ${op}`);
        await compareCase(t, op, one, foldIn(key(1), i), parties);
      }
    });
  }
  for (const [title, cases] of Object.entries(chains)) {
    withBackends(title, async (t, parties) => {
      for (const [i, one] of cases.entries()) {
        await compareCase(t, title, one, foldIn(key(2), i), parties);
      }
    });
  }
  const { graphs = 50, seed = 3 } = options.random ?? {};
  withBackends(`${graphs} random graphs of seed ${seed}`, async (t, parties) => {
    for (let i = 0; i < graphs; i++) {
      const from = foldIn(key(seed), i);
      const recording = record(randomGraph(from), foldIn(from, 0));
      const title = `random graph ${i} of seed ${seed}: ${summary(recording.graph)}`;
      await compare(t, title, parties, recording);
    }
  });
}

const chains = {
  "views feed every kind of kernel": viewCases,
  "values that are needed again": reuseCases,
  "training steps": stepCases,
};

function containsPrimitive(one: Case, op: string): boolean {
  const { graph, states } = record(one, key(1));
  const updated = op === "state" && Object.keys(states).length > 0;
  return updated || graph.nodes.some((node) => node.op === op);
}

/** A case is run twice: with its operands fed, and with its operands held by the backend. */
async function compareCase(t: Assertions, what: string, one: Case, from: Key, parties: Parties) {
  for (const operandsAre of ["fed", "held"] as const) {
    const title = `${what}: ${one.name}, operands ${operandsAre}`;
    await compare(t, title, parties, record(one, from, operandsAre));
  }
}

/** The primitives of a graph in their order, each with the nodes that it takes. */
function summary({ nodes }: Graph): string {
  const steps = nodes.filter(({ op }) => op !== "input" && op !== "state");
  return steps.map(({ id, op, inputs }) => `${id} = ${op}(${inputs.join(", ")})`).join(", ");
}
