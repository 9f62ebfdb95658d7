// Kernels whose threads compute several elements.

import type { Backend } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  conv2d,
  type Graph,
  grad,
  key,
  mean,
  multiply,
  normal,
  type Shape,
  sizeOf,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { lanesOf, storeLanes } from "../src/kernel/lanes.ts";
import { webGpuKernels } from "../src/modes.ts";
import { plan } from "../src/plan.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

interface Case {
  readonly image: Shape;
  readonly weight: Shape;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  /** Which its kernels have, of channels and rows. */
  readonly lanes: readonly string[];
}

/** A convolution and its gradients, some of them large enough for lanes. */
function graphOf({ image, weight, ...options }: Omit<Case, "lanes">): Graph {
  return trace((builder) => {
    const [x, w] = [builder.input("x", image), builder.input("w", weight)];
    const y = conv2d(x, w, options);
    const [dx, dw] = grad(mean(multiply(y, y)), [x, w]);
    for (const [name, of] of Object.entries({ y, dx, dw })) if (of) builder.output(name, of);
  });
}

const cases: Readonly<Record<string, Case>> = {
  "3×3": { image: [9, 16, 64, 60], weight: [24, 16, 3, 3], padding: 1, lanes: ["2x8", "4x4"] },
  "seven rows": {
    image: [70, 24, 14, 20],
    weight: [24, 24, 3, 3],
    padding: 1,
    lanes: ["2x7", "4x4"],
  },
  "few channels": { image: [4, 6, 60, 60], weight: [18, 6, 3, 3], padding: 1, lanes: ["1x4"] },
  "odd channels": { image: [8, 5, 60, 60], weight: [15, 5, 3, 3], padding: 1, lanes: ["1x4"] },
  "odd rows": { image: [8, 20, 41, 40], weight: [24, 20, 3, 3], padding: 1, lanes: ["4x1", "4x4"] },
  "without padding": { image: [4, 8, 66, 70], weight: [16, 8, 3, 3], lanes: ["2x2", "2x4"] },
  "much padding": {
    image: [6, 8, 60, 70],
    weight: [16, 8, 3, 2],
    padding: 2,
    lanes: ["1x4", "2x2", "4x2"],
  },
  "stride 2": {
    image: [9, 16, 64, 61],
    weight: [32, 16, 3, 3],
    stride: 2,
    padding: 1,
    lanes: ["2x4", "2x8", "4x2"],
  },
  "groups, stride 2": {
    ...{ image: [8, 16, 64, 61], weight: [32, 8, 3, 3] },
    ...{ stride: 2, padding: 1, groups: 2, lanes: ["1x4", "2x2", "2x4"] },
  },
  "stride 3": {
    image: [9, 8, 72, 61],
    weight: [32, 8, 3, 3],
    stride: 3,
    padding: 1,
    lanes: ["1x4", "2x4"],
  },
  "1×1, stride 2": {
    image: [9, 16, 64, 61],
    weight: [32, 16, 1, 1],
    stride: 2,
    lanes: ["2x4", "2x8"],
  },
  "a gradient of many weights": {
    image: [15, 16, 8, 8],
    weight: [64, 16, 3, 3],
    padding: 1,
    lanes: ["2x2"],
  },
  "5×5": { image: [3, 8, 80, 70], weight: [8, 8, 5, 5], padding: 2, lanes: ["1x4", "2x2"] },
};

const reason = await whyNoWebGpu();

test("large convolutions have lanes", (t) => {
  for (const [name, { lanes, ...one }] of Object.entries(cases)) {
    const found = plan(graphOf(one), webGpuKernels).kernels.flatMap(({ source }) => {
      const [, A, B] = /\bfirst(\d)x(\d) /.exec(source) ?? [];
      return A === undefined ? [] : [`${A}x${B}`];
    });
    t.deepEqual([...new Set(found)].sort(), lanes, name);
  }
  t.end();
});

test("they compute what the reference does", { skip: reason ?? false }, async (t) => {
  const backends = [await createGpuBackend({ mode: "webgpu" }), createReferenceBackend()];
  for (const [name, { lanes: _, ...one }] of Object.entries(cases)) {
    const graph = graphOf(one);
    const feeds = {
      x: Float32Array.from(normal(key(1), sizeOf(one.image))),
      w: Float32Array.from(normal(key(2), sizeOf(one.weight))),
    };
    const run = async (backend: Backend) => {
      const executable = await backend.compile(graph);
      // Idle threads are left out from the second run on, which must not find the first one's results.
      await executable.run({ x: feeds.x.map((value) => value + 1), w: feeds.w });
      return executable.run(feeds);
    };
    const [ours, right] = await Promise.all(backends.map(run));
    for (const result of Object.keys(graph.outputs)) {
      const [values, expected] = [ours, right].map((fetches) => fetches?.[result]?.data ?? []);
      let [most, apart] = [0, 0];
      for (let i = 0; i < (expected?.length ?? 0); i++) {
        most = Math.max(most, Math.abs(expected?.[i] as number));
        apart = Math.max(apart, Math.abs((values?.[i] as number) - (expected?.[i] as number)));
      }
      t.ok(most > 0 && apart < 1e-5 * most, `${name}, ${result}: ${apart / most} of the largest`);
    }
  }
  for (const backend of backends) await backend.dispose();
  t.end();
});

test("texts of lanes", (t) => {
  t.deepEqual(lanesOf("v3AB += t5B * a1[t6 + lane(3, 20, 0)];", { A: 2, B: 2 }), [
    "v3a0b0 += t5b0 * a1[t6 + 3];",
    "v3a0b1 += t5b1 * a1[t6 + 3];",
    "v3a1b0 += t5b0 * a1[t6 + 23];",
    "v3a1b1 += t5b1 * a1[t6 + 23];",
  ]);
  t.deepEqual(lanesOf("a0[i2 + lane(-4, 0, 4)] + lane(0, 0, 8)", { A: 4, B: 3 }), [
    "a0[i2 - 4]",
    "a0[i2] + 8",
    "a0[i2 + 4] + 16",
  ]);
  t.deepEqual(lanesOf("const t1 = a0[t2];", { A: 4, B: 4 }), ["const t1 = a0[t2];"]);
  t.deepEqual(lanesOf("v1AB += pick(t2A, none, t3) * t4;", { A: 2, B: 3 }), [
    "v1a0b0 += t2a0 * t4;",
    "v1a0b2 += t3 * t4;",
    "v1a1b0 += t2a1 * t4;",
    "v1a1b2 += t3 * t4;",
  ]);
  t.end();
});

test("a kernel's text is left alone where it has no lanes, and refused where it can't be changed", (t) => {
  t.equal(
    storeLanes("result[data_index] = user_v1;return;"),
    "result[data_index] = user_v1;return;",
  );
  t.throws(() => storeLanes("var user_first2x1 : f32 = 1.0;"), /version of gpu\.js/);
  t.end();
});
