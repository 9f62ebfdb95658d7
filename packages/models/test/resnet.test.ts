// The ResNets: sizes, names, and agreement of ResNet-20 with PyTorch.

import type { Backend, State } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { resnet } from "@fewnorm/models";
import { drawAll, type Model, type StateDeclaration } from "@fewnorm/nn";
import { batchNorm, noNorm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key, sizeOf } from "@fewnorm/tensor";
import { sgd, type Traced, traceEvaluation, traceGradients, traceTraining } from "@fewnorm/train";
import test, { type Test } from "tape";
import { type Fixture, readFixture } from "./fixture.ts";

function parameterCount(model: Model): number {
  return traceGradients(model, { batch: 2 })
    .states.filter(({ kind }) => kind === "parameter")
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

test("parameter counts are the published ones", (t) => {
  // He et al. (2016), table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million.
  const counts = { 20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962 };
  for (const [depth, count] of Object.entries(counts)) {
    t.equal(parameterCount(resnet({ depth: Number(depth), norm: batchNorm() })), count, depth);
  }
  const bs = batchNorm({ sampling: batchSampling({ images: 2 }) });
  t.equal(parameterCount(resnet({ depth: 20, norm: bs })), 269_722, "sampling adds none");
  t.equal(parameterCount(resnet({ depth: 20, norm: noNorm() })), 269_034, "biases for none");
  t.throws(() => resnet({ depth: 21, norm: batchNorm() }), /depth is 21/);
  t.end();
});

test("states bear PyTorch's names", (t) => {
  const { states } = traceGradients(resnet({ depth: 20, norm: batchNorm() }), { batch: 2 });
  const names = new Set(states.map(({ name }) => name));
  const expected = [...readFixture("resnet20.json", "bn").initial().keys()];
  t.deepEqual([...names].sort(), expected.sort());
  t.end();
});

const backends: Record<string, { create: () => Backend | Promise<Backend>; exact: boolean }> = {
  "reference float64": {
    create: () => createReferenceBackend({ precision: "float64" }),
    exact: true,
  },
  "wasm, 1 thread": { create: () => createWasmBackend({ threads: 1 }), exact: false },
  "wasm, 2 threads": { create: () => createWasmBackend({ threads: 2 }), exact: false },
};

async function stateOf(
  backend: Backend,
  states: readonly StateDeclaration[],
  fixture: Fixture,
): Promise<State> {
  const state = await backend.createState(states);
  for (const [name, { values }] of fixture.initial()) await state.write(name, values);
  return state;
}

async function fetchesOf(backend: Backend, traced: Traced, fixture: Fixture, step: number) {
  const state = await stateOf(backend, traced.states, fixture);
  const executable = await backend.compile(traced.graph, state);
  const images = fixture.images(step).values;
  return executable.run(
    "labels" in traced.graph.inputs ? { images, labels: fixture.labels(step) } : { images },
  );
}

for (const [name, { create, exact }] of Object.entries(backends)) {
  // In float64 only the fixture's float32 digits count. In float32: what PyTorch's own float32
  // differs from float64 by (stored beside each tensor), eight times that for sums in another order,
  // and not less than 2e-5. After three updates a ReLU input near zero may be on the other side,
  // which moves single elements of the filters before it by a few 1e-4.
  const check = (t: Test, fixture: Fixture, entry: string, values: ArrayLike<number>) => {
    const theirs = fixture.entry(entry).float32Relative;
    const least = entry.startsWith("final.") ? 1e-3 : 2e-5;
    const tolerance = exact ? 1e-6 : Math.max(least, 8 * theirs);
    const { ok, message } = fixture.check(entry, values, tolerance);
    t.ok(ok, message);
  };

  for (const network of ["bn", "none"]) {
    test(`ResNet-20 ${network}, ${name}: logits and gradients agree with PyTorch`, async (t) => {
      const fixture = readFixture("resnet20.json", network);
      const model = resnet({ depth: 20, norm: network === "bn" ? batchNorm() : noNorm() });
      const backend = await create();
      const trained = await fetchesOf(backend, traceGradients(model, { batch: 4 }), fixture, 0);
      check(t, fixture, "train.logits", trained.logits?.data ?? []);
      check(t, fixture, "train.loss", trained.loss?.data ?? []);
      for (const entry of fixture.names("gradient.")) {
        const gradient = trained[`grad:${entry.slice("gradient.".length)}`];
        check(t, fixture, entry, gradient?.data ?? []);
      }
      if (fixture.names("evaluation.").length > 0) {
        const evaluated = await fetchesOf(
          backend,
          traceEvaluation(model, { batch: 4 }),
          fixture,
          0,
        );
        check(t, fixture, "evaluation.logits", evaluated.logits?.data ?? []);
      }
      await backend.dispose();
      t.end();
    });
  }

  test(`ResNet-20 bn, ${name}: three steps of SGD agree with PyTorch`, async (t) => {
    const fixture = readFixture("resnet20.json", "bn");
    const { learningRate, momentum, weightDecay } = fixture.optimizer;
    const model = resnet({ depth: 20, norm: batchNorm() });
    const backend = await create();
    const optimizer = sgd({ momentum, weightDecay });
    const traced = traceTraining(model, { batch: 4, optimizer });
    const state = await stateOf(backend, traced.states, fixture);
    const executable = await backend.compile(traced.graph, state);
    const losses: number[] = [];
    for (let step = 0; step < fixture.steps; step++) {
      const { loss } = await executable.run({
        images: fixture.images(step).values,
        labels: fixture.labels(step),
        learningRate: [learningRate],
      });
      losses.push(loss?.data[0] as number);
    }
    for (const entry of fixture.names("losses")) check(t, fixture, entry, losses);
    for (const entry of fixture.names("final.").filter((name) => !name.endsWith("logits"))) {
      const value = await state.read(entry.slice("final.".length));
      check(t, fixture, entry, value.data);
    }
    const evaluation = await backend.compile(traceEvaluation(model, { batch: 4 }).graph, state);
    const { logits } = await evaluation.run({ images: fixture.images(0).values });
    check(t, fixture, "final.evaluation.logits", logits?.data ?? []);
    await backend.dispose();
    t.end();
  });
}

test("ResNet-20 on wasm agrees with float64 for folded norms over three steps", async (t) => {
  const fixture = readFixture("resnet20.json", "bn");
  const samplings = [batchSampling({ images: 2 }), virtualDataset({ images: 2 })];
  for (const sampling of samplings) {
    const model = resnet({ depth: 20, norm: batchNorm({ sampling }) });
    const traced = traceTraining(model, { batch: 4, optimizer: sgd() });
    const runs = await Promise.all(
      [createReferenceBackend({ precision: "float64" }), createWasmBackend({ threads: 2 })].map(
        async (made) => {
          const backend = await made;
          const state = await stateOf(backend, traced.states, fixture);
          const executable = await backend.compile(traced.graph, state);
          const losses: number[] = [];
          for (let step = 0; step < fixture.steps; step++) {
            const { loss } = await executable.run({
              images: fixture.images(step).values,
              labels: fixture.labels(step),
              learningRate: [0.05],
              ...drawAll(traced.draws, key(step)),
            });
            losses.push(loss?.data[0] as number);
          }
          await backend.dispose();
          return losses;
        },
      ),
    );
    const [exact = [], float32 = []] = runs;
    for (const [step, loss] of exact.entries()) {
      // Rounding grows through 20 layers and two updates; 1e-3 is far below any real difference.
      const off = Math.abs((float32[step] ?? Number.NaN) - loss);
      t.ok(off < 1e-3 * Math.abs(loss), `${sampling.name}, step ${step}: ${loss}, off by ${off}`);
    }
  }
  t.end();
});
