// Initial values of parameters and buffers.

import { type Key, normal, type Shape, sizeOf, uniform } from "@fewnorm/tensor";

/** Makes a state's first value, row-major, from its shape and a key of its own. */
export type Initializer = (shape: Shape, key: Key) => Float32Array;

/** All zero. */
export const zeros: Initializer = (shape) => new Float32Array(sizeOf(shape));

/** All one. */
export const ones: Initializer = (shape) => new Float32Array(sizeOf(shape)).fill(1);

/** Elements of one filter's receptive field: a weight [O, I, kh, kw] has fan-in I·kh·kw, fan-out O·kh·kw. */
function receptiveField(shape: Shape): number {
  return sizeOf(shape.slice(2));
}

/** Normal with deviation √(2/fan-out), which keeps gradients' size through ReLUs (He et al., 2015). */
export const heNormal: Initializer = (shape, key) => {
  const deviation = Math.sqrt(2 / ((shape[0] ?? 1) * receptiveField(shape)));
  return new Float32Array(normal(key, sizeOf(shape)).map((value) => value * deviation));
};

/** Uniform in ±1/√fanIn, PyTorch's default for dense layers and biases. */
export const uniformFanIn =
  (fanIn: number): Initializer =>
  (shape, key) => {
    const bound = 1 / Math.sqrt(fanIn);
    return new Float32Array(uniform(key, sizeOf(shape)).map((value) => (2 * value - 1) * bound));
  };
