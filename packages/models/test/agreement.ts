// Tests that a model agrees with its PyTorch fixture: in training, in evaluation, in every gradient, and after
// three steps of an optimizer.

import type { Backend, State } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import type { Model, StateDeclaration } from "@fewnorm/nn";
import {
  adamw,
  type Optimizer,
  sgd,
  traceEvaluation,
  traceGradients,
  traceTraining,
} from "@fewnorm/train";
import test, { type Test } from "tape";
import { type Fixture, readFixture } from "./fixture.ts";

/** A backend to compare, and whether it computes in float64. */
interface Engine {
  readonly name: string;
  readonly exact: boolean;
  create(): Backend | Promise<Backend>;
}

export const float64: Engine = {
  name: "reference float64",
  exact: true,
  create: () => createReferenceBackend({ precision: "float64" }),
};

export const wasm = (threads: number): Engine => ({
  name: `wasm, ${threads} thread${threads > 1 ? "s" : ""}`,
  exact: false,
  create: () => createWasmBackend({ threads }),
});

/** What is compared, and where. */
export interface Agreement {
  /** File and network of the fixture. */
  readonly file: string;
  readonly network: string;
  readonly model: Model;
  readonly engines?: readonly Engine[];
  /** The tolerance in float32 after three updates. Default 1e-3. */
  readonly trained?: number;
}

/** Registers a test for each engine; by default float64, and wasm with two threads. */
export function agreesWithPyTorch(agreement: Agreement): void {
  const { file, network, model, engines = [float64, wasm(2)], trained = 1e-3 } = agreement;
  for (const engine of engines) {
    test(`${model.name} (${network} in ${file}), ${engine.name}: agrees with PyTorch`, async (t) => {
      const fixture = readFixture(file, network);
      const backend = await engine.create();
      const check = checker(t, fixture, engine, trained);
      await checkFirstStep(backend, model, fixture, check);
      const run = { backend, model, fixture, check };
      if (fixture.names("final.").length > 0) {
        const { learningRate, ...options } = fixture.optimizer;
        await checkTraining(run, "", sgd(options), learningRate);
      }
      if (fixture.adamw !== undefined && fixture.names("adamw.").length > 0) {
        const { learningRate, beta1, beta2, epsilon, weightDecay } = fixture.adamw;
        const optimizer = adamw({ betas: [beta1, beta2], epsilon, weightDecay });
        await checkTraining(run, "adamw.", optimizer, learningRate);
      }
      await backend.dispose();
    });
  }
}

type Check = (entry: string, values: ArrayLike<number>, floor?: number) => void;

/**
 * In float64 only the fixture's float32 digits count. In float32: what PyTorch's own float32 differs from
 * float64 by (stored beside each tensor), eight times that for sums in another order, and not less than
 * 2e-5; after three updates `trained`, 1e-3 unless said otherwise, since a ReLU input near zero may be on the
 * other side then, which moves single elements of the filters before it by a few 1e-4.
 */
function checker(t: Test, fixture: Fixture, { exact }: Engine, trained: number): Check {
  return (entry, values, floor = 0) => {
    const { max, float32Deviation } = fixture.entry(entry);
    const theirs = float32Deviation / (Math.max(max, floor) || 1);
    const least = /final|losses/.test(entry) ? trained : 2e-5;
    const tolerance = exact ? 1e-6 : Math.max(least, 8 * theirs);
    const { ok, message } = fixture.check(entry, values, tolerance, floor);
    t.ok(ok, message);
  };
}

async function stateOf(
  backend: Backend,
  states: readonly StateDeclaration[],
  fixture: Fixture,
): Promise<State> {
  const state = await backend.createState(states);
  for (const [name, { values }] of fixture.initial()) await state.write(name, values);
  return state;
}

const feedsOf = (fixture: Fixture, step: number) => ({
  images: fixture.images(step).values,
  labels: fixture.labels(step),
  ...fixture.masks(step),
});

async function checkFirstStep(backend: Backend, model: Model, fixture: Fixture, check: Check) {
  const batch = fixture.images(0).shape[0] as number;
  const { graph, states } = traceGradients(model, { batch });
  const state = await stateOf(backend, states, fixture);
  if (fixture.names("evaluation.").length > 0) {
    const evaluation = await backend.compile(traceEvaluation(model, { batch }).graph, state);
    const { logits } = await evaluation.run({ images: fixture.images(0).values });
    check("evaluation.logits", logits?.data ?? []);
  }
  const fetches = await (await backend.compile(graph, state)).run(feedsOf(fixture, 0));
  check("train.logits", fetches.logits?.data ?? []);
  check("train.loss", fetches.loss?.data ?? []);
  const gradients = fixture.names("gradient.");
  // A bias in front of a normalization has no gradient but rounding: that is compared with the others' size.
  const largest = Math.max(...gradients.map((entry) => fixture.entry(entry).max));
  for (const entry of gradients) {
    const gradient = fetches[`grad:${entry.slice("gradient.".length)}`];
    check(entry, gradient?.data ?? [], 1e-6 * largest);
  }
}

interface Run {
  readonly backend: Backend;
  readonly model: Model;
  readonly fixture: Fixture;
  readonly check: Check;
}

/** All steps with an optimizer, whose results' names begin with `prefix`. */
async function checkTraining(run: Run, prefix: string, optimizer: Optimizer, learningRate: number) {
  const { backend, model, fixture, check } = run;
  const batch = fixture.images(0).shape[0] as number;
  const { graph, states } = traceTraining(model, { batch, optimizer });
  const state = await stateOf(backend, states, fixture);
  const step = await backend.compile(graph, state);
  const losses: number[] = [];
  for (let i = 0; i < fixture.steps; i++) {
    const { loss } = await step.run({ ...feedsOf(fixture, i), learningRate: [learningRate] });
    losses.push(loss?.data[0] as number);
  }
  check(`${prefix}losses`, losses);
  const [final, logits] = [`${prefix}final.`, "final.evaluation.logits"];
  for (const entry of fixture.names(final).filter((name) => name !== logits)) {
    check(entry, (await state.read(entry.slice(final.length))).data);
  }
  if (prefix !== "") return;
  const evaluation = await backend.compile(traceEvaluation(model, { batch }).graph, state);
  const evaluated = await evaluation.run({ images: fixture.images(0).values });
  check(logits, evaluated.logits?.data ?? []);
}
