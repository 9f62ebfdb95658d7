// What it costs to get states to and from a device at each step, by the ways that gpu.js has for it:
//   node scripts/measure-residency.mjs MODE [elements of a state] [states]
// The numbers in docs/decisions/0003-gpu.md come from here.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import gpujs from "gpu.js";

const [mode = "webasm", size = "65536", count = "16"] = process.argv.slice(2);
const [n, states] = [Number(size), Number(count)];
const { Input } = gpujs;
// Sets WebGPU up in Node, and takes it down again.
const backend = await createGpuBackend({ mode });
const gpu = new gpujs.GPU({ mode });
const source = "function (w, g) { const i = this.thread.x; return w[i] * 0.999 - g[0] * 0.01; }";
const step = gpu.createKernel(source, { output: [n], precision: "single" });
const gradient = new Input(Float32Array.of(1), [1]);
const initial = () => Array.from({ length: states }, () => new Float32Array(n).fill(1));

/** The pipeline's own arguments and results, `unrolled` steps in one plan. */
function pipelineOf(unrolled) {
  const body = (g, ...given) => {
    let w = given;
    for (let i = 0; i < unrolled; i++) w = w.map((one) => step(one, g));
    return w;
  };
  Object.defineProperty(body, "length", { value: states + 1 });
  const pipeline = gpu.createPipeline(body);
  let w = initial();
  return {
    steps: unrolled,
    async run() {
      w = await pipeline(gradient, ...w.map((one) => new Input(one, [n])));
    },
    destroy: () => pipeline.destroy(),
  };
}

/** Results that stay on the device as handles, kernel by kernel. */
function handles() {
  const kernels = Array.from({ length: states }, () =>
    [0, 1].map(() =>
      gpu.createKernel(source, {
        output: [n],
        precision: "single",
        pipeline: true,
        immutable: false,
        dynamicArguments: true,
      }),
    ),
  );
  let w = initial().map((one) => new Input(one, [n]));
  let turn = 0;
  return {
    steps: 1,
    async run() {
      turn = 1 - turn;
      w = await Promise.all(w.map((one, i) => kernels[i][turn](one, gradient)));
      // Waits for the device, as reading the loss does.
      const first = w[0];
      if (typeof first.toArray === "function") await first.toArray();
    },
    destroy() {},
  };
}

/** This package's: carried over in the executor's own memory. */
async function resident() {
  const { multiply, subtract, trace } = await import("@fewnorm/tensor");
  const names = Array.from({ length: states }, (_, i) => `w${i}`);
  const state = await backend.createState(names.map((name) => ({ name, shape: [n] })));
  const graph = trace((builder) => {
    const g = builder.input("g", []);
    for (const name of names) {
      const w = builder.state(name, [n]);
      builder.update(name, subtract(multiply(w, 0.999), multiply(g, 0.01)));
    }
    builder.output("loss", multiply(g, 2));
  });
  const executable = await backend.compile(graph, state);
  return {
    steps: 1,
    run: () => executable.run({ g: [1] }),
    destroy: () => executable.dispose(),
  };
}

const ways = {
  arguments: () => pipelineOf(1),
  "4 steps in a plan": () => pipelineOf(4),
  handles,
  resident,
};

const runs = {};
for (const [name, make] of Object.entries(ways)) {
  try {
    runs[name] = { ...(await make()), samples: [] };
    for (let i = 0; i < 3; i++) await runs[name].run();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    delete runs[name];
  }
}
for (let round = 0; round < 15; round++) {
  for (const one of Object.values(runs)) {
    const began = performance.now();
    await one.run();
    one.samples.push((performance.now() - began) / one.steps);
  }
}
console.log(`${backend.description}: ${states} states of ${n} elements, ms a step (least, median)`);
for (const [name, { samples, destroy }] of Object.entries(runs)) {
  const sorted = samples.sort((a, b) => a - b);
  console.log(`${name}: ${sorted[0].toFixed(2)}, ${sorted[7].toFixed(2)}`);
  await destroy();
}
await gpu.destroy();
await backend.dispose();
