// What is computed in one kernel, where a kernel for each operation would take many.

import type { Feeds } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  add,
  conv2d,
  type Graph,
  joinRows,
  key,
  multiply,
  normal,
  pad,
  reluGrad,
  reshape,
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

test("a join of more parts than a kernel reads at once has the rows of all", async (t) => {
  const graph = trace((builder) => {
    const from = builder.input("start", [1], "int32");
    const parts = [1, 2, 1, 3, 1, 2].map((count, i, counts) => ({
      part: multiply(builder.input(`x${i}`, [count, 3]), i + 1),
      start: from,
      range: { base: 0, modulo: 10, offset: counts.slice(0, i).reduce((a, b) => a + b, 0), count },
    }));
    builder.output("y", joinRows(parts));
  });
  const feeds = Object.fromEntries(
    [1, 2, 1, 3, 1, 2].map((count, i) => [`x${i}`, normal(key(i), 3 * count)]),
  );
  await kernelsOf(t, graph, { ...feeds, start: [3] });
});

test("small vectors are computed where they are read, others once, and so is what a convolution reads", async (t) => {
  const readTwice = (elements: number, operations: number) =>
    trace((builder) => {
      let x = builder.input("x", [elements]);
      for (let i = 0; i < operations; i++) x = multiply(x, x);
      builder.output("y", add(x, 1));
      builder.output("z", add(x, 2));
    });
  for (const [elements, operations, kernels] of [
    [2048, 1, 2],
    [2049, 1, 3],
    [16, 5, 2],
    [16, 6, 3],
  ] as const) {
    const x = normal(key(1), elements).map((value) => Math.sin(value));
    const graph = readTwice(elements, operations);
    t.equal(await kernelsOf(t, graph, { x }), kernels, `${elements} elements, ${operations}`);
  }
  const convolved = trace((builder) => {
    const x = builder.input("x", [2, 48]);
    const image = reshape(multiply(x, x), [2, 3, 4, 4]);
    builder.output("y", conv2d(image, builder.input("w", [2, 3, 1, 1])));
  });
  const feeds = { x: normal(key(1), 96), w: normal(key(2), 6) };
  t.equal(await kernelsOf(t, convolved, feeds), 2, "though reshaped on the way");
});

test("gradients of a ReLU whose rows lie elsewhere than its values' are masked by those", async (t) => {
  const range = { base: 0, modulo: 4, offset: 0, count: 2 };
  const graph = trace((builder) => {
    const [x, y] = [builder.input("x", [8, 3]), builder.input("y", [8, 3])];
    const start = builder.input("start", [2], "int32");
    const g = rows(x, start, { range });
    for (const [name, values] of Object.entries({
      "behind others": rows(y, start, { range: { ...range, base: 3 } }),
      "of fewer": rows(slice(y, { start: [1, 0], shape: [6, 3] }), start, { range }),
      "from another on": rows(y, start, { range, index: 1 }),
      "farther on": rows(y, start, { range: { ...range, offset: 1 } }),
      "of a longer ring": rows(y, start, { range: { ...range, modulo: 5 } }),
    })) {
      builder.output(name, reluGrad(g, values));
    }
  });
  const [x, y] = [normal(key(1), 24), normal(key(2), 24)];
  await kernelsOf(t, graph, { x, y, start: [3, 2] });
});
