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
import { type PlanOptions, plan } from "../src/plan.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

interface Case {
  readonly image: Shape;
  readonly weight: Shape;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
}

/** A convolution and its gradients, some of them large enough for lanes. */
function graphOf({ image, weight, ...options }: Case): Graph {
  return trace((builder) => {
    const [x, w] = [builder.input("x", image), builder.input("w", weight)];
    const y = conv2d(x, w, options);
    const [dx, dw] = grad(mean(multiply(y, y)), [x, w]);
    for (const [name, of] of Object.entries({ y, dx, dw })) if (of) builder.output(name, of);
  });
}

const cases: Readonly<Record<string, Case>> = {
  "3×3": { image: [8, 16, 40, 40], weight: [24, 16, 3, 3], padding: 1 },
  "two lanes": { image: [4, 6, 56, 56], weight: [18, 6, 3, 3], padding: 1 },
  "groups, stride 2": {
    ...{ image: [8, 16, 64, 61], weight: [32, 8, 3, 3] },
    ...{ stride: 2, padding: 1, groups: 2 },
  },
  "a gradient of many weights": { image: [15, 16, 8, 8], weight: [64, 16, 3, 3], padding: 1 },
  "5×5": { image: [3, 8, 80, 70], weight: [8, 8, 5, 5], padding: 2 },
};

const options: PlanOptions = {
  ...{ layout: "wide", indices: "integer", lanes: 4, mostThreads: 2 ** 17 },
  ...{ mostRepeats: 2 ** 26, mostArrays: 7 },
};

test("large convolutions have lanes, in each case some", (t) => {
  for (const [name, one] of Object.entries(cases)) {
    const lanes = plan(graphOf(one), options).kernels.flatMap(({ source }) => {
      const [, count] = /\br0x(\d+)x/.exec(source) ?? [];
      return count === undefined ? [] : [Number(count)];
    });
    t.ok(lanes.length > 0, `${name}: ${lanes}`);
    t.equal(Math.max(...lanes), name === "two lanes" ? 2 : 4);
  }
  t.end();
});

const reason = await whyNoWebGpu();

test("they compute what the reference does", { skip: reason ?? false }, async (t) => {
  const backends = [await createGpuBackend({ mode: "webgpu" }), createReferenceBackend()];
  for (const [name, one] of Object.entries(cases)) {
    const graph = graphOf(one);
    const feeds = {
      x: Float32Array.from(normal(key(1), sizeOf(one.image))),
      w: Float32Array.from(normal(key(2), sizeOf(one.weight))),
    };
    const run = async (backend: Backend) => (await backend.compile(graph)).run(feeds);
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
  t.deepEqual(lanesOf("v3L += a0[t5 + 7] * a1[t6 + lane(3, 20)];", 2), [
    "v3x0 += a0[t5 + 7] * a1[t6 + 3];",
    "v3x1 += a0[t5 + 7] * a1[t6 + 23];",
  ]);
  t.deepEqual(lanesOf("a0[i2 + lane(-4, 4)] + lane(0, 8)", 3), [
    "a0[i2 - 4]",
    "a0[i2] + 8",
    "a0[i2 + 4] + 16",
  ]);
  t.end();
});

test("a kernel's text is left alone where it has no lanes, and refused where it can't be changed", (t) => {
  t.equal(
    storeLanes("result[data_index] = user_v1;return;"),
    "result[data_index] = user_v1;return;",
  );
  t.throws(() => storeLanes("let user_r0x4x9 = 1.0; output = user_r0x4x9;"), /version of gpu\.js/);
  t.end();
});
