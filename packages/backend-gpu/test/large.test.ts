// Tensors of more elements than a variable of a kernel can count.

import type { Backend } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { conv2d, grad, mean, multiply, relu, reshape, slice, sum, trace } from "@fewnorm/tensor";
import test from "tape";
import { webGpuKernels } from "../src/modes.ts";
import { plan } from "../src/plan.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

const images = 1400;
const channels = 16;
const size = 28;

/** A convolution of 17.6 million elements, its gradients, and sums over it along each axis. */
const graph = trace((builder) => {
  const x = builder.input("x", [images, 1, size, size]);
  const w = builder.input("w", [channels, 1, 1, 1]);
  const y = relu(conv2d(x, w));
  const start = [images - 2, 0, 0, 0];
  builder.output("y", slice(y, { start, shape: [2, channels, size, size] }));
  builder.output("of channels", sum(multiply(y, y), [0, 2, 3]));
  builder.output("of images", sum(y, [1, 2, 3]));
  builder.output("of maps", sum(reshape(y, [images * channels, size * size]), [1]));
  const [dx, dw] = grad(mean(multiply(y, y)), [x, w]);
  if (dx === undefined || dw === undefined) return;
  builder.output("dx", slice(dx, { start, shape: [2, 1, size, size] }));
  builder.output("dw", dw);
});

const feeds = {
  x: Float32Array.from({ length: images * size * size }, (_, i) => ((i * 37) % 101) / 50 - 1),
  w: Float32Array.from({ length: channels }, (_, i) => (i - 7) / 8),
};

async function outputsOn(backend: Backend): Promise<ReadonlyMap<string, Float32Array>> {
  const executable = await backend.compile(graph);
  const outputs = await executable.run(feeds);
  const values = new Map(
    Object.entries(outputs).map(([name, of]) => [name, Float32Array.from(of.data)]),
  );
  await backend.dispose();
  return values;
}

const reason = await whyNoWebGpu();

test("more elements than a float32 counts are computed right", {
  skip: reason ?? false,
}, async (t) => {
  const expected = await outputsOn(createReferenceBackend());
  const found = await outputsOn(await createGpuBackend({ mode: "webgpu" }));
  for (const [name, values] of expected) {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const off = found
      .get(name)
      ?.reduce((most, v, i) => Math.max(most, Math.abs(v - (values[i] ?? 0))), 0);
    t.ok((off ?? Number.NaN) <= 1e-5 * largest, `${name}: off by ${off} of ${largest}`);
  }
});

test("an axis that is too long to count along is an error", (t) => {
  const long = trace((builder) => builder.output("y", sum(builder.input("x", [2 ** 24 + 2]), [0])));
  t.throws(() => plan(long, webGpuKernels), /compile: .* 16777218 elements .* use a smaller batch/);
  t.end();
});
