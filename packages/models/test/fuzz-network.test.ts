// Small residual networks of random geometry, sampling, batch and number of threads: one step's loss, gradients and
// running statistics on the WebAssembly engine against the float64 reference.

import type { Backend } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { dense, drawAll, globalAveragePool, type Model } from "@fewnorm/nn";
import { batchNorm, type Norm, noNorm } from "@fewnorm/norm";
import { mixture, type Sampling } from "@fewnorm/sampling";
import { batchSampling } from "@fewnorm/sampling-batch";
import { featureSampling } from "@fewnorm/sampling-feature";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key, normal } from "@fewnorm/tensor";
import { initializeStates, traceGradients } from "@fewnorm/train";
import fc from "fast-check";
import test from "tape";

const samplings: Readonly<Record<string, Sampling>> = {
  bs: batchSampling({ images: 3 }),
  fs: featureSampling({ ratio: 1 / 3 }),
  vdn: virtualDataset({ images: 3 }),
  mixed: mixture([
    { strategy: virtualDataset({ images: 2 }) },
    { strategy: batchSampling({ images: 2 }) },
  ]),
};

const norms: readonly Norm[] = [
  noNorm(),
  batchNorm(),
  ...Object.values(samplings).map((sampling) => batchNorm({ sampling, folded: true })),
  ...Object.values(samplings).map((sampling) => batchNorm({ sampling, folded: false })),
  batchNorm({ sampling: samplings.bs as Sampling, gradient: "sampled" }),
  batchNorm({ sampling: samplings.fs as Sampling, gradient: "sampled-all" }),
  batchNorm({ sampling: samplings.vdn as Sampling, gradient: "detached" }),
];

const side = fc.integer({ min: 1, max: 3 });
const layers = fc.record({
  channels: fc.constantFrom(4, 8, 9, 16, 20),
  kernel: fc.tuple(side, side),
  stride: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  padding: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  groups: fc.constantFrom(1, 1, 1, 2, 4),
});

const networks = fc.record({
  norm: fc.integer({ min: 0, max: norms.length - 1 }),
  threads: fc.integer({ min: 1, max: 3 }),
  batch: fc.integer({ min: 4, max: 11 }),
  height: fc.integer({ min: 7, max: 18 }),
  width: fc.integer({ min: 7, max: 18 }),
  first: layers,
  blocks: fc.array(fc.record({ down: layers, relu: fc.boolean() }), { minLength: 1, maxLength: 2 }),
});

type Network = typeof networks extends fc.Arbitrary<infer T> ? T : never;

/** A convolution, and blocks of another one and a residual pair. */
function modelOf({ norm: index, height, width, first, blocks }: Network): Model {
  const norm = norms[index] as Norm;
  return {
    name: norm.name,
    inputShape: [3, height, width],
    classes: 5,
    virtualImages: norm.virtualImages,
    logits(scope, images) {
      const names = (name: string) => ({ linear: name, norm: `${name}.norm` });
      let x = norm.conv2d(scope, names("first"), images, { ...first, groups: 1, relu: true });
      blocks.forEach(({ down, relu }, i) => {
        const groups =
          ((x.shape[1] ?? 1) % down.groups) + (down.channels % down.groups) ? 1 : down.groups;
        const skip = norm.conv2d(scope, names(`down${i}`), x, { ...down, groups, relu: true });
        const same = { channels: down.channels, kernel: 3, padding: 1 };
        const inner = norm.conv2d(scope, names(`a${i}`), skip, { ...same, relu: true });
        x = norm.conv2d(scope, names(`b${i}`), inner, { ...same, residual: skip, relu });
      });
      return dense(scope, "classifier", globalAveragePool(x), { units: 5 });
    },
  };
}

async function stepOf(backend: Backend, network: Network) {
  const { batch, height, width } = network;
  const model = modelOf(network);
  const { graph, states, draws } = traceGradients(model, { batch });
  const state = await backend.createState(states);
  // Shifts that are zero would leave inputs of ReLUs at exactly zero, where rounding decides.
  const shift = (name: string) => (/bias$/.test(name) ? 0.1 : 0);
  for (const [name, values] of initializeStates(states, key(0))) {
    const noise = normal(key(3), values.length);
    const shifted = Float32Array.from(
      values,
      (value, i) => value + shift(name) * (noise[i] as number),
    );
    await state.write(name, shifted);
  }
  const executable = await backend.compile(graph, state);
  const images = normal(key(1), batch * 3 * height * width);
  const labels = Int32Array.from({ length: batch }, (_, i) => i % 5);
  const fetches = await executable.run({ images, labels, ...drawAll(draws, key(2)) });
  const results = new Map<string, ArrayLike<number>>();
  for (const [name, { data }] of Object.entries(fetches)) results.set(name, data as Float32Array);
  for (const { name } of states)
    results.set(`after ${name}`, (await state.read(name)).data as Float32Array);
  await executable.dispose();
  await state.dispose();
  return results;
}

const norm2 = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0));

/** ‖found − right‖. */
const distance = (found: ArrayLike<number>, right: ArrayLike<number>): number =>
  norm2(Array.from(right, (value, i) => (found[i] ?? Number.NaN) - value));

const RUNS = 60;

test(`${RUNS} random networks`, async (t) => {
  const reference = await createReferenceBackend({ precision: "float64" });
  const engines = await Promise.all([1, 2, 3].map((threads) => createWasmBackend({ threads })));
  const property = fc.asyncProperty(networks, async (network) => {
    const right = await stepOf(reference, network);
    const found = await stepOf(engines[network.threads - 1] as Backend, network);
    // Some gradients are zero but for rounding, such as that of a shift before a normalization.
    const largest = Math.max(...[...right.values()].map(norm2));
    for (const [name, values] of right) {
      const off = distance(found.get(name) ?? [], values);
      // Rounding is 1e-5 and less here; a ReLU's input within it of zero may move single elements by some 1e-3.
      if (off <= 5e-3 * norm2(values) + 1e-5 * largest) continue;
      throw new Error(
        `${name} is off by ${off} of ${norm2(values)}, with ${norms[network.norm]?.name}`,
      );
    }
  });
  try {
    await fc.assert(property, { numRuns: RUNS, seed: 7 });
    t.pass("every loss, gradient and running statistic");
  } catch (error) {
    const { message, cause } = error as Error;
    t.fail(`${message}: ${cause}`);
  }
  for (const backend of [reference, ...engines]) await backend.dispose();
  t.end();
});
