// SGD against its formula, written out a second time.
import { createReferenceBackend } from "@fewnorm/backend-reference";
import type { StateDeclaration } from "@fewnorm/nn";
import { createBuilder, elementsOf } from "@fewnorm/tensor";
import { type SgdOptions, sgd, weightsOnly } from "@fewnorm/train";
import test from "tape";

const rates = [0.5, 0.25, 0.125, 1];
const gradients = [
  [1, -2, 0.5],
  [0.25, 4, -1],
  [3, 0, 2],
  [-1, 1, 0.75],
];

/** The parameter after each step, from the backend. */
async function run(options: SgdOptions): Promise<number[][]> {
  const optimizer = sgd(options);
  const parameter: StateDeclaration = {
    name: "p",
    shape: [3],
    kind: "parameter",
    initialize: () => new Float32Array(3),
  };
  const builder = createBuilder();
  optimizer.update({
    parameter,
    value: builder.state("p", [3]),
    gradient: builder.input("gradient", [3]),
    learningRate: builder.input("learningRate", []),
  });
  const backend = createReferenceBackend({ precision: "float64" });
  const state = await backend.createState([parameter, ...optimizer.slots(parameter)]);
  await state.write("p", [1, 2, -3]);
  const step = await backend.compile(builder.finish(), state);
  const values: number[][] = [];
  for (const [i, gradient] of gradients.entries()) {
    await step.run({ gradient, learningRate: [rates[i] as number] });
    values.push(Array.from(elementsOf("p", await state.read("p"), [3])));
  }
  await backend.dispose();
  return values;
}

/** torch.optim.SGD, from its documentation. */
function expected(momentum: number, weightDecay: number): number[][] {
  let p = [1, 2, -3];
  let v: number[] | undefined;
  return gradients.map((gradient, t) => {
    const g = gradient.map((value, i) => value + weightDecay * (p[i] as number));
    v =
      v === undefined || momentum === 0 ? g : v.map((old, i) => momentum * old + (g[i] as number));
    const step = v;
    p = p.map((value, i) => value - (rates[t] as number) * (step[i] as number));
    return p;
  });
}

function largestDifference(a: number[][], b: number[][]): number {
  return Math.max(...a.flatMap((row, i) => row.map((x, j) => Math.abs(x - (b[i]?.[j] as number)))));
}

test("sgd follows torch.optim.SGD step by step", async (t) => {
  for (const [momentum, weightDecay] of [
    [0.9, 5e-4],
    [0.9, 0],
    [0, 0.1],
    [0, 0],
    [0.5, 0.5],
  ] as const) {
    const found = await run({ momentum, weightDecay });
    // Both compute in float64 and differ in the order of operations at most.
    t.ok(
      largestDifference(found, expected(momentum, weightDecay)) < 1e-14,
      `momentum ${momentum}, weight decay ${weightDecay}`,
    );
  }
});

test("sgd leaves out of the decay what it is told to", async (t) => {
  const found = await run({ momentum: 0.9, weightDecay: 0.1, decays: weightsOnly });
  t.ok(largestDifference(found, expected(0.9, 0)) < 1e-14, "a vector does not decay");
});

test("sgd keeps one slot a parameter, and none without momentum", (t) => {
  const parameter: StateDeclaration = {
    name: "fc.weight",
    shape: [2, 3],
    kind: "parameter",
    initialize: () => new Float32Array(6),
  };
  const [slot, ...more] = sgd().slots(parameter);
  t.equal(slot?.name, "fc.weight.momentum");
  t.deepEqual(slot?.shape, [2, 3]);
  t.equal(slot?.kind, "buffer", "it is not trained");
  t.equal(more.length, 0);
  t.deepEqual(sgd({ momentum: 0 }).slots(parameter), []);
  t.end();
});

test("sgd refuses options out of range", (t) => {
  t.throws(() => sgd({ momentum: 1 }), /sgd: momentum is 1; give a number from 0/);
  t.throws(() => sgd({ momentum: Number.NaN }), /momentum is NaN/);
  t.throws(() => sgd({ weightDecay: -1 }), /sgd: weightDecay is -1/);
  t.end();
});
