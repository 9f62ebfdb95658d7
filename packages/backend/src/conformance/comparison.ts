// Runs a recorded case on the backend under test and on the oracle, and compares.

import {
  elementsOf,
  type Node,
  type Shape,
  sameShape,
  showShape,
  type Values,
} from "@fewnorm/tensor";
import type { NdArray } from "ndarray";
import type { Backend, Fetches, State } from "../backend.ts";
import type { Recording } from "./recording.ts";
import { expectedName, toleranceName, withTolerances } from "./tolerances.ts";

/** What the suite needs of a test's argument; tape's fits. */
export interface Assertions {
  ok(value: unknown, message: string): void;
}

/** The suite's two parties: the backend under test, and the one whose results are taken for right. */
export interface Parties {
  readonly backend: Backend;
  readonly oracle: Backend;
}

/** A state holding the recording's values. */
export async function stateOf(backend: Backend, recording: Recording): Promise<State> {
  const entries = Object.entries(recording.states);
  const state = await backend.createState(entries.map(([name, { shape }]) => ({ name, shape })));
  await reset(state, recording, Object.keys(recording.states));
  return state;
}

async function reset(state: State, { states }: Recording, names: readonly string[]): Promise<void> {
  for (const name of names) await state.write(name, states[name]?.values ?? []);
}

/**
 * Asserts that the recording's outputs and updates agree with the oracle's within their tolerances,
 * that what is not updated stays, and that a second run from the same values gives the same bits.
 */
export async function compare(
  t: Assertions,
  name: string,
  { backend, oracle }: Parties,
  recording: Recording,
): Promise<void> {
  const { graph, feeds } = recording;
  const expected = await expectedOf(oracle, recording, backend.precision);
  const state = await stateOf(backend, recording);
  const executable = await backend.compile(graph, state);

  const first = await executable.run(feeds);
  const firstStates = await readAll(state);
  // No other: backends may keep what they have made of values that stay.
  await reset(state, recording, Object.keys(graph.updates));
  const second = await executable.run(feeds);
  const secondStates = await readAll(state);
  await executable.dispose();
  await state.dispose();

  const faults: string[] = [];
  for (const [output, id] of Object.entries(graph.outputs)) {
    const node = graph.nodes[id] as Node;
    const actual = first[output];
    const fault = actual === undefined ? "is missing" : wrongArray(actual, node, backend.precision);
    if (actual === undefined || fault !== undefined) {
      faults.push(`output ${output} ${fault}`);
      continue;
    }
    faults.push(...differences("output", output, actual, expected));
    if (!sameBits(actual, second[output])) faults.push(`output ${output} differs when run again`);
  }
  for (const state of Object.keys(recording.states)) {
    const actual = firstStates[state] as NdArray<Values>;
    if (Object.hasOwn(graph.updates, state)) {
      faults.push(...differences("update", state, actual, expected));
    } else if (!sameElements(actual, recording.states[state]?.values ?? [])) {
      faults.push(`state ${state} changed without an update`);
    }
    if (!sameBits(actual, secondStates[state]))
      faults.push(`state ${state} differs when run again`);
  }
  t.ok(faults.length === 0, [name, ...faults].join("; "));
}

async function expectedOf(
  oracle: Backend,
  recording: Recording,
  precision: Backend["precision"],
): Promise<Fetches> {
  const unit = precision === "float32" ? 2 ** -24 : 2 ** -53;
  const state = await stateOf(oracle, recording);
  const executable = await oracle.compile(withTolerances(recording.graph, unit), state);
  const expected = await executable.run(recording.feeds);
  await executable.dispose();
  await state.dispose();
  return expected;
}

async function readAll(state: State): Promise<Fetches> {
  const values: Fetches = {};
  for (const { name } of state.specs) values[name] = await state.read(name);
  return values;
}

/** What is wrong with a fetched array's kind or shape. */
function wrongArray(
  array: NdArray<Values>,
  { shape, dtype }: Node,
  precision: Backend["precision"],
): string | undefined {
  if (!sameShape(array.shape, shape)) {
    return `is ${showShape(array.shape)}, expected ${showShape(shape)}`;
  }
  const kind =
    dtype === "int32" ? "Int32Array" : precision === "float32" ? "Float32Array" : "Float64Array";
  const actual = array.data.constructor.name;
  return actual === kind ? undefined : `is a ${actual}, expected a ${kind}`;
}

/** At most one line: how many elements are off, and the one that is so by the largest multiple of its tolerance. */
function differences(
  kind: "output" | "update",
  name: string,
  actual: NdArray<Values>,
  expected: Fetches,
): string[] {
  const right = expected[expectedName(kind, name)] as NdArray<Values>;
  const allowed = expected[toleranceName(kind, name)];
  const { shape } = right;
  const [a, e] = [rowMajor(actual), rowMajor(right)];
  const tolerances = allowed === undefined ? undefined : rowMajor(allowed);
  let worst = 0;
  let worstAt = 0;
  let count = 0;
  for (let i = 0; i < e.length; i++) {
    const difference = Math.abs((a[i] as number) - (e[i] as number));
    const tolerance = tolerances?.[i] ?? 0;
    if (difference <= tolerance) continue;
    count++;
    // A comparison that is written this way round lets NaN count as worst of all.
    const excess = tolerance === 0 || Number.isNaN(difference) ? Infinity : difference / tolerance;
    if (excess > worst) [worst, worstAt] = [excess, i];
  }
  if (count === 0) return [];
  const tolerance = tolerances?.[worstAt] ?? 0;
  return [
    `${count} of ${e.length} elements of ${kind} ${name} are off: [${indexOf(worstAt, shape)}] is ${a[worstAt]}, expected ${e[worstAt]} ± ${tolerance.toExponential(1)}`,
  ];
}

export const rowMajor = (array: NdArray<Values>): ArrayLike<number> =>
  elementsOf("conformance", array, array.shape);

function sameElements(array: NdArray<Values>, values: ArrayLike<number>): boolean {
  const elements = rowMajor(array);
  return Array.from(elements).every((value, i) => value === values[i]);
}

export function sameBits(a: NdArray<Values>, b: NdArray<Values> | undefined): boolean {
  if (b === undefined || !sameShape(a.shape, b.shape)) return false;
  const [left, right] = [rowMajor(a), rowMajor(b)];
  for (let i = 0; i < left.length; i++) if (!Object.is(left[i], right[i])) return false;
  return true;
}

function indexOf(position: number, shape: Shape): number[] {
  const index: number[] = [];
  let rest = position;
  for (const length of shape.toReversed()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return index;
}
