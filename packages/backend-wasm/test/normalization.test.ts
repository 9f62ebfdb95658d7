// Normalization that is not folded, with statistics of some rows, forward and backward: against the reference in
// float64, and what is computed in passing. Maps have more pixels than kernels treat at a time, and odd numbers of them.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  add,
  customGradient,
  divide,
  foldIn,
  type Graph,
  grad,
  key,
  moments,
  multiply,
  normal,
  normalize,
  row,
  rows,
  type Shape,
  sizeOf,
  sqrt,
  sum,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { differences } from "./differences.ts";

/** What is fetched of a layer's results and gradients, for images of `shape` and statistics of `count` from an origin. */
function layer(shape: Shape, count: number, fetched = (of: Tensor) => of): Graph {
  const [images = 1, channels = 1] = shape;
  return trace((builder) => {
    const x = builder.input("x", shape);
    const gamma = builder.input("gamma", [channels]);
    const beta = builder.input("beta", [channels]);
    const start = builder.input("origin", [1], "int32");
    const range = { base: 0, modulo: images, offset: 0, count };
    const statistics = moments(count === images ? x : rows(x, start, { index: 0, range }));
    const scale = divide(gamma, sqrt(add(row(statistics, 1), 1e-5)));
    const y = normalize(x, row(statistics, 0), scale, beta);
    const loss = sum(multiply(y, builder.input("weights", shape)));
    builder.output("y", fetched(y));
    for (const [i, gradient] of grad(loss, [x, gamma, beta]).entries())
      builder.output(`gradient ${i}`, fetched(gradient));
  });
}

function feedsOf({ inputs, nodes }: Graph, origin: number): Record<string, ArrayLike<number>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, id], i) => {
      if (name === "origin") return [name, [origin]];
      const size = sizeOf(nodes[id]?.shape ?? []);
      const drawn = normal(foldIn(key(3), i), Math.min(size, 65_521));
      const at = (k: number) => drawn[k % drawn.length] as number;
      return [name, Float32Array.from({ length: size }, (_, k) => at(k) + (name === "x" ? 3 : 0))];
    }),
  );
}

const cases: readonly (readonly [Shape, number, number])[] = [
  [[5, 21, 9, 7], 2, 4],
  [[5, 21, 9, 7], 5, 0],
  [[4, 40, 13, 11], 3, 2],
  [[7, 16, 17, 15], 1, 6],
  // More than stays in a cache.
  [[5, 72, 113, 111], 2, 4],
];

test("normalization with statistics of some rows", async (t) => {
  const reference = await createReferenceBackend();
  for (const threads of [1, 2]) {
    const backend = await createWasmBackend({ threads });
    for (const [shape, count, origin] of cases) {
      const graph = layer(shape, count);
      const feeds = feedsOf(graph, origin);
      const [exact, executable] = [await reference.compile(graph), await backend.compile(graph)];
      const wrong = differences(await exact.run(feeds), await executable.run(feeds), 2e-5);
      t.deepEqual(wrong, [], `${backend.description}: ${count} of ${shape.join("×")}`);
      await executable.dispose();
      await exact.dispose();
    }
    await backend.dispose();
  }
  await reference.dispose();
  t.end();
});

test("a gradient that nothing needs afterwards gives its memory", async (t) => {
  const backend = await createWasmBackend({ threads: 2 });
  const shape = [8, 16, 32, 32];
  for (const count of [2, 8]) {
    const graph = trace((builder) => {
      const [x, g] = [builder.state("x", shape), builder.state("g", shape)];
      const start = builder.constant(3, [1], "int32");
      const range = { base: 0, modulo: 8, offset: 0, count };
      const statistics = moments(count === 8 ? x : rows(x, start, { index: 0, range }));
      const scale = divide(1, sqrt(add(row(statistics, 1), 1e-5)));
      const y = normalize(x, row(statistics, 0), scale, multiply(scale, 0));
      const loss = customGradient(sum(y), [y], () => [g]);
      builder.update("g", grad(loss, [x])[0] as Tensor);
    });
    const state = await backend.createState(["x", "g"].map((name) => ({ name, shape })));
    const { workspaceBytes } = await backend.compile(graph, state);
    t.ok(workspaceBytes < 4 * sizeOf(shape), `${count} of 8 images: ${workspaceBytes} bytes`);
  }
  await backend.dispose();
  t.end();
});

test("what normalization computes in passing", async (t) => {
  const backend = await createWasmBackend({ threads: 1 });
  const shape = [8, 16, 32, 32];
  const graph = layer(shape, 2, sum);
  const executable = await backend.compile(graph);
  const times = (await executable.profile?.(feedsOf(graph, 7))) ?? [];
  const computed = times.flatMap(({ nodes }) => nodes.map((id) => graph.nodes[id]));
  const passes = computed
    .filter((node) => sizeOf(node?.shape ?? []) > 1000 || node?.op === "normalizeGradSums")
    .map((node) => `${node?.op} ${node?.shape.join("×")}`);
  t.ok(passes.includes("normalizeGradSums 2×16"), "the sums over the gradient");
  t.equal(
    passes.filter((pass) => pass === "normalize 8×16×32×32").length,
    1,
    "the gradient is scaled where it is summed",
  );
  t.notOk(
    passes.some((pass) => pass.startsWith("addRows")),
    "rows are normalized where they are added",
  );
  await executable.dispose();
  await backend.dispose();
  t.end();
});
