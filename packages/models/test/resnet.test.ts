// The ResNets: sizes, names, and agreement of ResNet-20 with PyTorch.

import type { Backend, State } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { resnet } from "@fewnorm/models";
import type { Model, StateDeclaration } from "@fewnorm/nn";
import { batchNorm, noNorm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { sizeOf } from "@fewnorm/tensor";
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
  // In float64 only the fixture's float32 digits count; in float32, what PyTorch's own float32
  // differs from float64 by (stored beside each tensor), eight times that for sums in another order,
  // and not less than 1e-5. A ReLU input near zero may change sides: reluMargin is 2e-6.
  const check = (t: Test, fixture: Fixture, entry: string, values: ArrayLike<number>) => {
    const theirs = fixture.entry(entry).float32Relative;
    const { ok, message } = fixture.check(entry, values, exact ? 1e-6 : Math.max(1e-5, 8 * theirs));
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
