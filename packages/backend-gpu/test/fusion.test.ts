// What is computed in one kernel, where a kernel for each operation would take many.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  add,
  conv2d,
  key,
  multiply,
  normal,
  reluGrad,
  rows,
  type Shape,
  sizeOf,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

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
  const feeds = {
    x: normal(key(1), sizeOf(shape)),
    y: normal(key(2), sizeOf(shape)),
    w: normal(key(3), 81),
    start: [4],
  };
  const backend = await createGpuBackend({ mode: "cpu" });
  const reference = createReferenceBackend();
  const executable = await backend.compile(graph);
  t.equal(executable.kernels, 5, "the masked convolution, and what is fetched");
  const got = await executable.run(feeds);
  const expected = await (await reference.compile(graph)).run(feeds);
  for (const name of Object.keys(expected)) {
    const values = Array.from(expected[name]?.data ?? []);
    const apart = values.map((value, i) => Math.abs(value - (got[name]?.data[i] ?? Number.NaN)));
    // Sums of 27 products of order 1 in float32: 27 · 2^-24 = 1.6e-6.
    t.ok(values.length > 0 && Math.max(...apart) < 1e-5, name);
  }
  await backend.dispose();
});
