// How tensors lie in memory: rank 4 channels-last, logical (A, B, H, W) stored as (A, H, W, B); others row-major.

import { type Shape, sizeOf } from "@fewnorm/tensor";

/** The order in which the axes of a tensor of this rank are stored, outermost first. */
export function storedAxes(rank: number): readonly number[] {
  return rank === 4 ? [0, 2, 3, 1] : Array.from({ length: rank }, (_, axis) => axis);
}

/** Distance between neighbours along each axis of a row-major tensor, in elements. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides: number[] = [];
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis] as number;
  }
  return strides;
}

/** The same for a tensor as it is stored, by logical axis. */
export function storedStrides(shape: Shape): number[] {
  const [, b = 1, h = 1, w = 1] = shape;
  return shape.length === 4 ? [b * h * w, 1, w * b, b] : rowMajorStrides(shape);
}

/** Whether the stored order of the elements is their row-major order. */
export function storedRowMajor(shape: Shape): boolean {
  const [, b = 1, h = 1, w = 1] = shape;
  return shape.length !== 4 || b === 1 || h * w === 1;
}

/** Row-major elements in stored order. */
export function toStored(
  values: ArrayLike<number>,
  shape: Shape,
  to: Float32Array | Int32Array,
): void {
  if (storedRowMajor(shape)) {
    to.set(values);
    return;
  }
  const [a = 1, b = 1, h = 1, w = 1] = shape;
  const pixels = h * w;
  for (let i = 0; i < a; i++) {
    for (let c = 0; c < b; c++) {
      const from = (i * b + c) * pixels;
      for (let p = 0; p < pixels; p++) to[(i * pixels + p) * b + c] = values[from + p] as number;
    }
  }
}

/** Stored elements in row-major order. */
export function fromStored(values: Float32Array, shape: Shape): Float32Array {
  const out = new Float32Array(sizeOf(shape));
  if (storedRowMajor(shape)) {
    out.set(values);
    return out;
  }
  const [a = 1, b = 1, h = 1, w = 1] = shape;
  const pixels = h * w;
  for (let i = 0; i < a; i++) {
    for (let c = 0; c < b; c++) {
      const to = (i * b + c) * pixels;
      for (let p = 0; p < pixels; p++) out[to + p] = values[(i * pixels + p) * b + c] as number;
    }
  }
  return out;
}
