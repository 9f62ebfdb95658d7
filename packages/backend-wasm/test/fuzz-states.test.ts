// Random steps over large states: until its new value is written, a state's memory may hold results, which must not
// lie where an old value, or another state's new one, is still needed. Against the reference in float64.

import type { Backend, Feeds, Fetches } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  add,
  addRows,
  conv2d,
  foldIn,
  type Graph,
  joinRows,
  type Key,
  key,
  multiply,
  normal,
  normalize,
  normalizeGradSums,
  type RowRange,
  randomInteger,
  relu,
  reluGrad,
  reshape,
  row,
  rows,
  scaleChannels,
  sizeOf,
  subtract,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { differences } from "./differences.ts";

const IMAGES = 6;
/** Even a part's few images are enough for the planner to write results over operands. */
const IMAGE = [8, 16, 16] as const;
const ring = (offset: number, count: number): RowRange => {
  return { base: 0, modulo: IMAGES, offset, count };
};
const FEW = ring(0, 2);
const REST = ring(2, 4);
const ALL = ring(0, IMAGES);
const STATES = ["a", "b", "c"];
const VECTORS = ["u", "v"];

type Pick = (count: number) => number;

/** Values of all images, of a few, of the rest, and of each channel; the recent ones are taken most often. */
function poolsOf(pick: Pick) {
  const pools = {
    all: [] as Tensor[],
    few: [] as Tensor[],
    rest: [] as Tensor[],
    vectors: [] as Tensor[],
  };
  type Kind = keyof typeof pools;
  const any = (kind: Kind): Tensor => {
    const back = pick(3) === 0 ? pick(pools[kind].length) : Math.min(pick(4), pick(6));
    return pools[kind].at(-1 - Math.min(back, pools[kind].length - 1)) as Tensor;
  };
  return { any, put: (kind: Kind, tensor: Tensor) => void pools[kind].push(tensor) };
}

function randomStep(from: Key): Graph {
  let draws = 0;
  const pick: Pick = (count) => randomInteger(foldIn(from, draws++), count);
  const { any, put } = poolsOf(pick);
  return trace((builder) => {
    const starts = builder.input("starts", [2], "int32");
    const at = (range: RowRange) => ({ range, index: pick(2) });
    const whole = (name: string) => builder.state(name, [IMAGES, ...IMAGE]);
    for (const name of STATES) put("all", whole(name));
    for (const name of VECTORS) put("vectors", builder.state(name, [8]));
    put("vectors", builder.input("vector", [8]));
    put("all", builder.input("x", [IMAGES, ...IMAGE]));
    put("few", builder.state("few", [2, ...IMAGE]));
    put("rest", rows(any("all"), starts, at(REST)));
    const weights = builder.state("weights", [8, 8, 3, 3]);
    const mask = builder.input("mask", [IMAGES, ...IMAGE]);
    const kind = () => (["all", "all", "all", "few", "rest"] as const)[pick(5)] ?? "all";
    const vector = () => any("vectors");
    const half = (x: Tensor) => multiply(x, 0.5);

    const arithmetic = () => {
      const of = kind();
      const [a, b] = [any(of), any(of)];
      const results = [
        () => relu(a),
        () => add(half(a), half(b)),
        () => subtract(half(a), half(b)),
      ];
      put(of, results[pick(3)]?.() ?? a);
    };
    const masked = () => put("all", reluGrad(any("all"), mask));
    const normalized = () => {
      const of = kind();
      const options = { residual: pick(2) === 0 ? half(any(of)) : undefined, relu: pick(2) === 0 };
      put(of, normalize(any(of), vector(), vector(), vector(), options));
    };
    const gradient = () => {
      const of = kind();
      const vectors = [vector(), vector(), vector(), vector()];
      put(of, builder.append("normalizeInputGrad", [any(of), any(of), ...vectors], {}));
    };
    const scaledAndSummed = () => {
      const of = kind();
      const [g, x, scale, mean] = [any(of), any(of), vector(), vector()];
      const both = [
        () => put(of, scaleChannels(g, scale)),
        () => put("vectors", multiply(row(normalizeGradSums(g, x, mean), pick(2)), 1 / 8192)),
      ];
      for (const make of pick(2) === 0 ? both : both.toReversed()) {
        make();
        if (pick(3) === 0) arithmetic();
      }
    };
    const turned = () => put("all", rows(any("all"), starts, at(ALL)));
    const takenApart = () => {
      const of = any("all");
      put("few", rows(of, starts, at(FEW)));
      put("rest", rows(of, starts, at(REST)));
    };
    const joined = () => {
      const index = pick(2);
      const few = { part: any("few"), start: starts, index, range: FEW };
      const rest = { part: any("rest"), start: starts, index, range: REST };
      put("all", joinRows([few, rest]));
    };
    const added = () => {
      const base = pick(2) === 0 ? half(any("all")) : scaleChannels(any("all"), vector());
      const part = any("few");
      const plain = pick(2) === 0;
      const few = plain ? part : normalize(part, vector(), vector(), vector());
      put("all", addRows(base, few, starts, at(ring(pick(IMAGES), 2))));
    };
    const convolved = () => {
      const product = multiply(weights, reshape(vector(), [8, 1, 1, 1]));
      for (let i = pick(3); i > 0; i--) (pick(2) === 0 ? arithmetic : normalized)();
      const x = multiply(any("all"), 1 / 16);
      const attributes = { stride: [1, 1], padding: [1, 1], groups: 1, shape: x.shape } as const;
      if (pick(2) === 0) put("all", conv2d(x, product, { padding: 1, residual: half(any("all")) }));
      else put("all", builder.append("conv2dInputGrad", [x, product], attributes));
    };
    const flat = () =>
      put("all", reshape(half(reshape(any("all"), [IMAGES, 2048])), [IMAGES, ...IMAGE]));
    const steps = [
      ...[arithmetic, arithmetic, normalized, normalized, gradient, gradient, scaledAndSummed],
      ...[turned, takenApart, joined, added, convolved, masked, flat],
    ];

    const left = new Set([...STATES, "v"]);
    const update = (name: string) => {
      if (!left.delete(name)) return;
      const [own, other] = [whole(name), any("all")];
      const values = [
        () => other,
        () => own,
        () => subtract(own, multiply(other, 0.25)),
        () => rows(pick(2) === 0 ? own : other, starts, at(ALL)),
        () =>
          builder.append(
            "normalizeInputGrad",
            [own, other, ...Array.from({ length: 4 }, vector)],
            {},
          ),
      ];
      const value = values[pick(values.length)]?.() ?? other;
      builder.update(name, value);
      if (pick(2) === 0) put("all", value);
    };
    for (let i = 4 + pick(12); i > 0; i--) {
      steps[pick(steps.length)]?.();
      if (pick(6) === 0) update(STATES[pick(STATES.length)] as string);
      if (pick(8) === 0 && left.delete("v")) builder.update("v", multiply(vector(), 0.5));
    }
    for (const name of STATES) if (pick(4) > 0) update(name);
    if (pick(2) === 0) builder.update("few", any("few"));
    for (let i = pick(4); i >= 0; i--) builder.output(`${i}`, any(kind()));
  });
}

/** The same for each backend: a step with its state, run again and again. */
async function begin(backend: Backend, graph: Graph, from: Key) {
  const used = Object.entries({ ...graph.updates, ...graph.states });
  const specs = used.map(([name, id]) => ({ name, shape: graph.nodes[id]?.shape ?? [] }));
  const state = await backend.createState(specs);
  for (const [i, { name, shape }] of specs.entries()) {
    await state.write(name, normal(foldIn(from, i), sizeOf(shape)));
  }
  return { specs, state, executable: await backend.compile(graph, state) };
}

type Step = Awaited<ReturnType<typeof begin>>;

/** The results of a run, and what it leaves in the states. */
async function results({ specs, state, executable }: Step, feeds: Feeds): Promise<Fetches> {
  const fetches = await executable.run(feeds);
  for (const { name } of specs) fetches[`state ${name}`] = await state.read(name);
  return fetches;
}

function feedsOf({ inputs, nodes }: Graph, from: Key): Feeds {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, id], i) => {
      if (name === "starts")
        return [name, [0, 1].map((k) => randomInteger(foldIn(from, k), IMAGES))];
      return [name, normal(foldIn(from, 2 + i), sizeOf(nodes[id]?.shape ?? []))];
    }),
  );
}

const COUNT = 200;
const RUNS = 2;

test(`${COUNT} random steps over large states`, async (t) => {
  const reference = await createReferenceBackend();
  const engines: Backend[] = [];
  for (const threads of [1, 2, 3]) engines.push(await createWasmBackend({ threads }));
  for (let i = 0; i < COUNT; i++) {
    const from = foldIn(key(11), i);
    const graph = randomStep(foldIn(from, 0));
    const engine = engines[i % engines.length] as Backend;
    const begun = [reference, engine].map((backend) => begin(backend, graph, foldIn(from, 1)));
    const [exact, fast] = (await Promise.all(begun)) as [Step, Step];
    for (let run = 0; run < RUNS; run++) {
      const feeds = feedsOf(graph, foldIn(from, 2 + run));
      const [expected, actual] = [await results(exact, feeds), await results(fast, feeds)];
      t.deepEqual(
        differences(expected, actual, 2e-4),
        [],
        `${engine.description}: step ${i}, run ${run}`,
      );
    }
    for (const { executable, state } of [exact, fast]) {
      await executable.dispose();
      await state.dispose();
    }
  }
  for (const backend of [reference, ...engines]) await backend.dispose();
  t.end();
});
