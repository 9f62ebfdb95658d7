// A plan's waits: results are the same, bit for bit, however far threads lag behind one another.

import { createLifetime, createQueue } from "@fewnorm/backend";
import {
  addRows,
  type Builder,
  conv2d,
  foldIn,
  type Graph,
  grad,
  joinRows,
  key,
  matmul,
  maxPool,
  mean,
  moments,
  multiply,
  normal,
  normalize,
  normalizeGradSums,
  pad,
  relu,
  reshape,
  rows,
  type Shape,
  sizeOf,
  slice,
  softmaxCrossEntropy,
  sum,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { loadEngine } from "../src/engine/binary.ts";
import { HEAP_BASE } from "../src/engine/control.ts";
import { createHeap } from "../src/engine/heap.ts";
import { createExecutable, type EngineContext } from "../src/executable.ts";
import { createLaggingPool } from "./lagging-pool.ts";

const THREADS = 3;
const orders = [
  [0, 1, 2],
  [2, 1, 0],
  [1, 2, 0],
  [0, 2, 1],
];

type Of = (...shape: Shape) => Tensor;

/** Loss and gradients. */
const gradients = (loss: Tensor, of: readonly Tensor[]): Tensor[] => [loss, ...grad(loss, of)];

const cases: Record<string, (of: Of, start: Tensor, builder: Builder) => readonly Tensor[]> = {
  "sums over images of other divisions": (of, start) => {
    const x = relu(of(7, 8, 10, 10));
    const norm = normalize(x, of(8), of(8), of(8), { relu: true });
    const range = { base: 0, modulo: 7, offset: 1, count: 7 };
    const turned = moments(rows(norm, start, { range }));
    return [sum(norm, [0, 2]), sum(norm, [1]), turned, normalizeGradSums(norm, x, of(8))];
  },
  "what is moved": (of) => {
    const x = relu(of(7, 8, 10, 10));
    const part = slice(x, { start: [1, 0, 0, 0], shape: [6, 8, 10, 10] });
    const back = pad(part, { before: [0, 0, 1, 0], shape: [6, 8, 11, 10] });
    return [relu(reshape(back, [3, 1760])), maxPool(x, { kernel: 3, stride: 2, padding: 1 })];
  },
  "rows that are taken apart, changed, joined and added": (of, start) => {
    const x = relu(of(7, 8, 10, 10));
    const parts = [
      { base: 0, modulo: 7, offset: 0, count: 2 },
      { base: 0, modulo: 7, offset: 2, count: 5 },
    ].map((range, i) => ({ start, range, part: multiply(rows(x, start, { range }), i - 2) }));
    const joined = joinRows(parts);
    const range = { base: 1, modulo: 5, offset: 0, count: 3 };
    const part = normalize(of(3, 8, 10, 10), of(8), of(8), of(8), { relu: true });
    return [relu(joined), addRows(joined, part, start, { range, index: 1 })];
  },
  "a dense layer and its loss": (of, _, builder) => {
    const [x, w, v] = [of(10, 50), of(50, 400), of(400, 10)];
    const labels = builder.constant([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [10], "int32");
    return gradients(mean(softmaxCrossEntropy(matmul(relu(matmul(x, w)), v), labels)), [x, w, v]);
  },
  convolutions: (of, start) => {
    const [x, w, v, u] = [of(7, 8, 8, 8), of(12, 8, 3, 3), of(8, 12, 3, 3), of(12, 8, 2, 2)];
    const range = { base: 0, modulo: 7, offset: 2, count: 5 };
    const y = conv2d(rows(x, start, { range }), w, { padding: 1, relu: true });
    const z = conv2d(conv2d(y, v, { padding: 1 }), u, { stride: 2 });
    return gradients(sum(multiply(z, z)), [x, w, v, u]);
  },
  "a convolution of 5 × 5": (of) => [conv2d(relu(of(7, 8, 9, 9)), of(12, 8, 5, 5), { padding: 2 })],
  "its input's gradient": (of) => {
    const [x, w] = [of(7, 8, 9, 9), of(12, 8, 5, 5)];
    return grad(sum(multiply(conv2d(x, w), of(7, 12, 5, 5))), [x]);
  },
  "its filters' gradient": (of) => {
    const [x, w] = [of(7, 8, 9, 9), of(12, 8, 5, 5)];
    return grad(sum(multiply(conv2d(x, w), of(7, 12, 5, 5))), [w]);
  },
  "convolutions with more filters than tiles": (of) => {
    const [x, w, v] = [relu(of(6, 8, 4, 4)), of(12, 8, 3, 3), of(24, 12, 3, 3)];
    const y = conv2d(conv2d(x, w, { padding: 1, relu: true }), v, { padding: 1 });
    return gradients(sum(multiply(y, of(...y.shape))), [x, w, v]);
  },
};

for (const [name, record] of Object.entries(cases)) {
  test(`threads that lag: ${name}`, async (t) => {
    const binary = await loadEngine("plain", false);
    const heap = createHeap(HEAP_BASE, false);
    const pool = await createLaggingPool(binary, heap.memory, THREADS);
    const bytes = 2 ** 24;
    const context: EngineContext = {
      heap,
      pool,
      queue: createQueue(),
      lifetime: createLifetime("the backend", "create another"),
      workspace: { user: undefined, address: heap.allocate(bytes), reserve() {} },
    };
    let drawn = 0;
    const values: Record<string, ArrayLike<number>> = { start: [5, 2] };
    const graph: Graph = trace((builder) => {
      const of = (...shape: Shape) => {
        const input = `${drawn++}`;
        values[input] = normal(foldIn(key(1), drawn), sizeOf(shape));
        return builder.input(input, shape);
      };
      const start = builder.input("start", [2], "int32");
      for (const [i, y] of record(of, start, builder).entries()) builder.output(`${i}`, y);
    });
    const feeds = Object.fromEntries(
      Object.entries(values).filter(([input]) => Object.hasOwn(graph.inputs, input)),
    );
    const executable = createExecutable(context, graph, undefined);
    t.ok(executable.workspaceBytes !== undefined && executable.workspaceBytes <= bytes);
    const found: Record<string, readonly number[]>[] = [];
    for (const order of orders) {
      pool.order = order;
      heap.floats(context.workspace.address, bytes / 4).fill(Number.NaN);
      context.workspace.user = undefined;
      const fetches = Object.entries(await executable.run(feeds));
      found.push(Object.fromEntries(fetches.map(([at, { data }]) => [at, Array.from(data)])));
      t.deepEqual(found.at(-1), found[0], `${order}`);
    }
    const finite = Object.values(found[0] ?? {}).every((data) => data.every(Number.isFinite));
    t.ok(finite, "nothing is read before it is written");
    t.end();
  });
}
