// What kernels compute themselves so that they need not wait for others.

import {
  add,
  type Builder,
  conv2d,
  key,
  matmul,
  moments,
  multiply,
  normal,
  type Shape,
  sizeOf,
  slice,
  subtract,
  sumChannels,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { gpuJs } from "../src/gpu-js.ts";
import type { Lowered, Place } from "../src/lowered.ts";
import { createPlanPipeline, flatten } from "../src/pipeline.ts";
import { type Plan, plan } from "../src/plan.ts";
import { plainSizes } from "../src/sizes.ts";
import { stepOf } from "./training.ts";

const options = {
  layout: "flat",
  indices: "float",
  sizes: plainSizes,
  mostThreads: 0,
  mostArrays: 7,
} as const;

/** Kernels that wait for each other, one after the other. */
function chainOf({ kernels }: Plan): number {
  const depths = new Map<Lowered, number>();
  for (const { inputs, results } of kernels) {
    const depth = 1 + Math.max(0, ...inputs.map((of) => depths.get(of) ?? 0));
    depths.set(results[0], depth);
  }
  return Math.max(...depths.values());
}

test("a step's chain of kernels is shorter where they may repeat what others compute", (t) => {
  for (const norm of ["bn", "bs:4"]) {
    const graph = stepOf(norm);
    const [waiting, repeating] = [0, 2 ** 26].map((mostRepeats) =>
      chainOf(plan(graph, { ...options, mostRepeats })),
    ) as [number, number];
    t.ok(repeating < 0.9 * waiting, `${norm}: ${repeating} kernels, ${waiting} without`);
  }
  t.end();
});

test("what a convolution reads is computed whole, where other operations compute no more than they read", (t) => {
  const shape: Shape = [4, 3, 13, 11];
  const elementsFor = (read: (pixel: Tensor) => Tensor): number => {
    const graph = trace((builder) => {
      const x = builder.input("x", shape);
      const pixel = slice(multiply(x, x), { start: [0, 0, 0, 0], shape: [1, 1, 1, 1] });
      builder.output("pixel", read(pixel));
    });
    const { kernels } = plan(graph, { ...options, mostRepeats: 2 ** 26 });
    return kernels.reduce((sum, { threads }) => sum + sizeOf(threads), 0);
  };
  t.equal(
    elementsFor((pixel) => pixel),
    1,
  );
  t.equal(
    elementsFor((pixel) => conv2d(pixel, pixel.builder.constant(1, [1, 1, 1, 1]))),
    1 + sizeOf(shape),
  );
  t.end();
});

test("what takes long, reads more arrays, or is a convolution is waited for", (t) => {
  const shape: Shape = [4, 3, 13, 11];
  /** The chain of y and of what reads it besides an input. */
  const chain = (build: (b: Builder) => Tensor, mostRepeats = 2 ** 26): number => {
    const graph = trace((builder) => {
      const y = build(builder);
      builder.output("y", y);
      builder.output("product", multiply(y, builder.input("other", y.shape)));
    });
    return chainOf(plan(graph, { ...options, mostRepeats }));
  };
  const square = (b: Builder) => multiply(b.input("x", shape), b.input("x", shape));
  t.equal(chain(square), 1);
  t.equal(chain(square, sizeOf(shape) - 1), 2, "more than may be repeated");
  const product = (inner: number) => (b: Builder) =>
    matmul(b.input("x", [4, inner]), b.input("w", [inner, 5]));
  t.equal(chain(product(100)), 1);
  t.equal(chain(product(1100)), 2, "more than a thread may take");
  const total = (count: number) => (b: Builder) =>
    Array.from({ length: count }, (_, i) => b.input(`x${i}`, shape)).reduce((x, y) => add(x, y));
  t.equal(chain(total(6)), 1);
  t.equal(chain(total(7)), 2, "more arrays than a kernel reads");
  t.equal(
    chain((b) => conv2d(b.input("x", shape), b.input("w", [2, 3, 1, 1]))),
    2,
    "a convolution",
  );
  t.end();
});

test("kernels that repeat compute the same", async (t) => {
  const shape: Shape = [4, 3, 13, 11];
  const graph = trace((builder) => {
    const x = builder.input("x", shape);
    const [sum, m] = [sumChannels(x), moments(x)];
    builder.output("sums", multiply(subtract(sum, 1), 3));
    builder.output("moments", multiply(m, m));
  });
  const x = Float32Array.from(normal(key(1), sizeOf(shape)));
  const run = async (mostRepeats: number) => {
    const made = plan(graph, { ...options, mostRepeats });
    const gpu = new gpuJs.GPU({ mode: "cpu" });
    const ends = Object.values(graph.outputs).map((id) => made.results[id] as Lowered);
    const arrays = ends.map((of) => (made.places.get(of) as Place).array);
    const { pipeline, destroy } = createPlanPipeline(gpu, made, arrays);
    const rows = await pipeline(...made.arguments.map(() => new gpuJs.Input(x, [x.length])));
    const values = ends.map((of, i) => {
      const result = rows[`r${i}`];
      return result === undefined ? [] : Array.from(flatten(result, sizeOf(of.shape)));
    });
    await destroy();
    await gpu.destroy();
    return { kernels: made.kernels.length, values };
  };
  const [waiting, repeating] = [await run(0), await run(2 ** 26)];
  t.ok(
    repeating.kernels < waiting.kernels,
    `${repeating.kernels} kernels, ${waiting.kernels} without`,
  );
  for (const [i, values] of waiting.values.entries()) {
    const apart = values.map((value, j) => {
      return Math.abs(value - (repeating.values[i]?.[j] ?? Number.NaN)) / Math.abs(value);
    });
    // What is repeated is not rounded to float32 between; the mean, near 0, loses most by it.
    t.ok(values.length > 0 && Math.max(...apart) < 1e-4, Object.keys(graph.outputs)[i]);
  }
  t.end();
});
