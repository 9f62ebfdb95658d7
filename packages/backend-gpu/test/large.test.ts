// Tensors of more elements than a variable of a kernel can count.

import type { Backend } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  type Builder,
  conv2d,
  grad,
  mean,
  moments,
  multiply,
  relu,
  reshape,
  type Shape,
  sizeOf,
  slice,
  sum,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
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

test("threads lie along axes that a device has room for", { skip: reason ?? false }, async (t) => {
  const backend = await createGpuBackend({ mode: "webgpu" });
  const shapes: Shape[] = [
    [600_000, 2],
    [1, 600_000],
    [70_000, 2, 1, 3],
    [1, 2, 800, 900],
    [1, 2, 1, 600_000],
    [2, 600_000, 1, 1],
    [12, 2, 800, 900],
  ];
  for (const shape of shapes) {
    const size = sizeOf(shape);
    const lines = trace((b) => b.output("y", multiply(b.input("x", shape), 2)));
    const executable = await backend.compile(lines);
    const x = Float32Array.from({ length: size }, (_, i) => i % 8191);
    const { y } = await executable.run({ x });
    const off = x.findIndex((value, i) => y?.data[i] !== 2 * value);
    t.equal(off, -1, `all elements of [${shape}]`);
    await executable.dispose();
  }
  await backend.dispose();
});

test("kernels count what they can of large tensors", (t) => {
  const graphs: Readonly<Record<string, (b: Builder) => Tensor>> = {
    moments: (b) => moments(b.input("x", [300, 1, 256, 256])),
    "moments of many images": (b) => moments(b.input("x", [70_000, 3, 16, 16])),
    "a sum of all": (b) => sum(b.input("x", [1400, 16, 28, 28])),
    "few lanes": (b) => conv2d(b.input("x", [12_500, 3, 30, 30]), b.input("w", [3, 3, 1, 1])),
    "many weights": (b) => {
      const [x, w] = [b.input("x", [2, 25_088, 1, 1]), b.input("w", [4096, 25_088, 1, 1])];
      return grad(sum(conv2d(x, w)), [w])[0];
    },
  };
  for (const [name, build] of Object.entries(graphs)) {
    const traced = trace((b) => b.output("y", build(b)));
    t.doesNotThrow(() => plan(traced, webGpuKernels), name);
  }
  t.end();
});

test("an axis that is too long to count along is an error", (t) => {
  const long = trace((builder) => builder.output("y", sum(builder.input("x", [2 ** 24 + 2]), [0])));
  t.throws(() => plan(long, webGpuKernels), /compile: .* 16777218 elements .* use a smaller batch/);
  t.end();
});
