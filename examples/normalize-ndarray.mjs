// The normalization alone, for those who want nothing else: an ndarray in, an ndarray out, mean and variance
// from 8 of its 64 images.
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { createScope, drawAll } from "@fewnorm/nn";
import { batchNorm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { createBuilder, key, normal } from "@fewnorm/tensor";
import { initializeStates } from "@fewnorm/train";
import ndarray from "ndarray";

// 64 images, 3 channels of 16×16, with mean 5 and deviation 2.
const shape = [64, 3, 16, 16];
const values = Float32Array.from(normal(key(1), 64 * 3 * 16 * 16), (z) => 5 + 2 * z);
const x = ndarray(values, shape);

// The layer as a graph. It declares γ, β and the running statistics, and which images to sample as a draw.
const builder = createBuilder();
const { scope, declarations } = createScope(builder, "train");
const norm = batchNorm({ sampling: batchSampling({ images: 8 }) });
builder.output("y", norm.layer(scope, "norm", builder.input("x", shape)));

// The graph on a backend: γ = 1, β = 0.
const backend = await createWasmBackend();
const state = await backend.createState(declarations.states);
for (const [name, value] of initializeStates(declarations.states, key(2))) {
  await state.write(name, value);
}
const layer = await backend.compile(builder.finish(), state);

const { y } = await layer.run({ x, ...drawAll(declarations.draws, key(3)) });
for (let c = 0; c < 3; c++) {
  const { mean, deviation } = statistics(/** @type {ndarray.NdArray} */ (y).pick(null, c));
  console.log(`channel ${c}: mean ${mean.toFixed(2)}, deviation ${deviation.toFixed(2)}`);
}
const running = await state.read("norm.running_mean");
console.log(`running mean ${Array.from(running.data, (value) => value.toFixed(2)).join(" ")}`);
await backend.dispose();

/** @param {ndarray.NdArray} images of one channel, [N, H, W] */
function statistics(images) {
  const [n = 0, h = 0, w = 0] = images.shape;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < n * h * w; i++) {
    const value = images.get(Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w);
    sum += value;
    squares += value * value;
  }
  const mean = sum / (n * h * w);
  return { mean, deviation: Math.sqrt(squares / (n * h * w) - mean ** 2) };
}
