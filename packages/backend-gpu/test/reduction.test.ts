// Sums in stages, of which the parts are not all of one size.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  conv2d,
  grad,
  key,
  moments,
  multiply,
  normal,
  type Shape,
  sizeOf,
  sum,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

test("parts of a sum that come out uneven miss nothing and count nothing twice", async (t) => {
  const gpu = await createGpuBackend({ mode: "cpu" });
  const reference = createReferenceBackend();
  for (const shape of [
    [21, 64, 5, 7],
    [9, 128, 4, 9],
    [37, 33, 35, 1],
  ] satisfies Shape[]) {
    const graph = trace((builder) => {
      const x = builder.input("x", shape);
      builder.output("of channels", sum(x, [0, 2, 3]));
      builder.output("of columns", sum(x, [0, 1, 2]));
      builder.output("of all", sum(x));
      builder.output("moments", moments(x));
    });
    const x = Float32Array.from(normal(key(1), sizeOf(shape)), (value) => value + 1);
    const [ours, right] = await Promise.all(
      [gpu, reference].map(async (backend) => (await backend.compile(graph)).run({ x })),
    );
    for (const name of Object.keys(graph.outputs)) {
      const [values, expected] = [ours, right].map((fetches) => [...(fetches?.[name]?.data ?? [])]);
      const apart =
        expected?.map((one, i) => Math.abs((values?.[i] ?? Number.NaN) / one - 1)) ?? [];
      // Of terms near 1, rounded in float32 some times; a part that is missing is a hundredth or more.
      t.ok(apart.length > 0 && Math.max(...apart) < 1e-4, `${name} of ${shape}`);
    }
  }
  await gpu.dispose();
});

test("images that do not divide evenly among the parts of a weight gradient count once", async (t) => {
  const graph = trace((builder) => {
    const [x, w] = [builder.input("x", [7, 2, 5, 5]), builder.input("w", [3, 2, 3, 3])];
    const y = conv2d(x, w, { padding: 1 });
    const [dw] = grad(sum(multiply(y, y)), [w]);
    if (dw !== undefined) builder.output("dw", dw);
  });
  const feeds = { x: normal(key(1), 350), w: normal(key(2), 54) };
  const gpu = await createGpuBackend({ mode: "cpu" });
  const [ours, right] = await Promise.all(
    [gpu, createReferenceBackend()].map(async (one) => (await one.compile(graph)).run(feeds)),
  );
  const apart = Array.from(right?.dw?.data ?? [], (value, i) =>
    Math.abs(value - (ours?.dw?.data[i] ?? Number.NaN)),
  );
  // Sums of 175 products of order 10 in float32; an image is a seventh of them.
  t.ok(apart.length === 54 && Math.max(...apart) < 1e-3);
  await gpu.dispose();
});
