// What is computed in one kernel, where a kernel for each operation would take many.

import type { Feeds } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  add,
  conv2d,
  type Graph,
  key,
  multiply,
  normal,
  pad,
  reluGrad,
  rows,
  type Shape,
  sizeOf,
  slice,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

/** How many kernels a graph takes; what they compute is compared with the reference. */
async function kernelsOf(t: test.Test, graph: Graph, feeds: Feeds): Promise<number> {
  const backend = await createGpuBackend({ mode: "cpu" });
  const executable = await backend.compile(graph);
  const got = await executable.run(feeds);
  const expected = await (await createReferenceBackend().compile(graph)).run(feeds);
  for (const name of Object.keys(expected)) {
    const values = Array.from(expected[name]?.data ?? []);
    const apart = values.map((value, i) => Math.abs(value - (got[name]?.data[i] ?? Number.NaN)));
    // Sums of 27 products of order 1 in float32: 27 · 2^-24 = 1.6e-6.
    t.ok(values.length > 0 && Math.max(...apart) < 1e-5, name);
  }
  await backend.dispose();
  return executable.kernels;
}

test("gradients of a ReLU over all parts of a batch are one mask, in the kernel of what is masked", async (t) => {
  // Smaller ones would be computed wherever they are read.
  const shape: Shape = [5, 3, 32, 32];
  const [few, others] = [
    { base: 0, modulo: 5, offset: 0, count: 2 },
    { base: 0, modulo: 5, offset: 2, count: 3 },
  ];
  const graph = trace((builder) => {
    const x = builder.input("x", shape);
    const y = builder.input("y", shape);
    const start = builder.input("start", [1], "int32");
    const g = conv2d(x, builder.input("w", [3, 3, 3, 3]), { padding: 1 });
    for (const [name, range] of Object.entries({ few, others })) {
      const part = (of: typeof g) => rows(of, start, { range });
      const masked = reluGrad(part(g), part(y));
      builder.output(`${name} twice`, multiply(masked, 2));
      builder.output(`${name} and one`, add(masked, 1));
    }
  });
  const kernels = await kernelsOf(t, graph, {
    x: normal(key(1), sizeOf(shape)),
    y: normal(key(2), sizeOf(shape)),
    w: normal(key(3), 81),
    start: [4],
  });
  t.equal(kernels, 5, "the masked convolution, and what is fetched");
});

test("what is padded is moved by the kernels that read it, however many", async (t) => {
  const shape: Shape = [2, 3, 32, 32];
  const padding = { before: [0, 1, 0, 0], shape: [2, 6, 32, 32] };
  const graph = trace((builder) => {
    const padded = pad(builder.input("x", shape), padding);
    builder.output("twice", multiply(padded, 2));
    builder.output("and one", add(padded, 1));
  });
  const x = normal(key(1), sizeOf(shape));
  t.equal(await kernelsOf(t, graph, { x }), 2, "no kernel but those of what is fetched");

  const convolved = trace((builder) => {
    const padded = pad(builder.input("x", shape), padding);
    builder.output("y", conv2d(padded, builder.input("w", [2, 6, 3, 3])));
  });
  const feeds = { x, w: normal(key(2), 2 * 6 * 9) };
  t.equal(await kernelsOf(t, convolved, feeds), 2, "a convolution reads it often: it is held");
});

test("kernels of the same text have as many threads as each needs", async (t) => {
  const graph = trace((builder) => {
    const x = builder.input("x", [8]);
    for (const count of [5, 3, 8]) {
      builder.output(`${count}`, multiply(slice(x, { start: [0], shape: [count] }), 2));
    }
  });
  t.equal(await kernelsOf(t, graph, { x: normal(key(1), 8) }), 3);
});
