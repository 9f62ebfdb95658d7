// Kernels of many threads that do little each.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  add,
  key,
  maxPool,
  mean,
  multiply,
  normal,
  type Shape,
  sizeOf,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { gpuJs } from "../src/gpu-js.ts";
import { enlargeWorkgroups } from "../src/kernel/workgroups.ts";
import { gpuKernels, webGpuKernels } from "../src/modes.ts";
import { type PlanOptions, plan } from "../src/plan.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

/** x² + 1, and its mean in some stages. */
const graphOf = (shape: Shape) =>
  trace((builder) => {
    const x = builder.input("x", shape);
    const y = add(multiply(x, x), 1);
    builder.output("y", y);
    builder.output("mean", mean(y));
  });

const reason = await whyNoWebGpu();

test("kernels of many threads have large workgroups, on WebGPU alone", (t) => {
  const hasLarge = (shape: Shape, options: PlanOptions = webGpuKernels) =>
    plan(graphOf(shape), options).kernels.some(({ isLarge }) => isLarge);
  t.ok(hasLarge([9, 7, 50, 61]));
  t.notOk(hasLarge([9, 7, 20, 30]), "few threads");
  t.notOk(hasLarge([9, 7, 50, 61], gpuKernels), "another mode");
  t.end();
});

interface Device {
  createShaderModule(settings: { readonly code: string }): unknown;
}

test("they compute all elements", { skip: reason ?? false }, async (t) => {
  const backend = await createGpuBackend({ mode: "webgpu" });
  const { device } = (await gpuJs.WebGPUContext.acquire()) as { device: Device };
  const texts: string[] = [];
  const create = device.createShaderModule;
  device.createShaderModule = (settings) => {
    texts.push(enlargeWorkgroups(settings.code));
    return create(settings);
  };
  // Of one axis, more than fit into one row of workgroups.
  for (const shape of [[140003], [4_500_000], [500, 301], [17, 9, 31, 40]]) {
    const executable = await backend.compile(graphOf(shape));
    for (const [i, run] of ["first", "second"].entries()) {
      const x = Float32Array.from(normal(key(i), sizeOf(shape)));
      const fetches = await executable.run({ x });
      const [y, [average = 0]] = [fetches.y?.data ?? [], fetches.mean?.data ?? []];
      const wrong = x.findIndex((value, j) => Math.abs((y[j] ?? 0) - (value * value + 1)) > 1e-5);
      t.equal(wrong, -1, `${shape.join("×")}, ${run} run`);
      t.ok(Math.abs(average - 2) < 0.02, `mean ${average}`);
    }
    await executable.dispose();
  }
  device.createShaderModule = create;
  for (const size of ["256, 1, 1", "32, 8, 1", "64, 1, 1"]) {
    t.ok(
      texts.some((text) => text.includes(`@workgroup_size(${size})`)),
      `workgroups of ${size}`,
    );
  }
  await backend.dispose();
  t.end();
});

test("kernels that share a pass are begun as often as they should be", {
  skip: reason ?? false,
}, async (t) => {
  const graph = trace((builder) => {
    let x = builder.input("x", [1, 16, 96, 96]);
    for (let i = 0; i < 6; i++) x = maxPool(x, { kernel: 3, stride: 1, padding: 1 });
    builder.output("y", x);
  });
  const x = Float32Array.from(normal(key(2), 16 * 96 * 96));
  const backends = [await createGpuBackend({ mode: "webgpu" }), createReferenceBackend()];
  const results = await Promise.all(
    backends.map(async (backend) => {
      const executable = await backend.compile(graph);
      await executable.run({ x: x.map((value) => -value) });
      return (await executable.run({ x })).y?.data;
    }),
  );
  const [ours = [], right = []] = results;
  const wrong = Array.from(right, (value, i) => Math.abs((ours[i] ?? 0) - value) > 1e-6);
  t.equal(wrong.indexOf(true), -1, `${wrong.length} elements`);
  for (const backend of backends) await backend.dispose();
  t.end();
});

test("a text is refused that can't be changed", (t) => {
  t.equal(enlargeWorkgroups("@workgroup_size(64, 1, 1)"), "@workgroup_size(64, 1, 1)");
  t.throws(
    () => enlargeWorkgroups("@workgroup_size(16, 1, 1) var user_inLargeWorkgroups"),
    /version of gpu\.js/,
  );
  t.end();
});
