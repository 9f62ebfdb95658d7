// Shapes: lists of sizes, and the arithmetic on them that shape rules need.

import { checkMethod, showValue } from "./options.ts";

/** Sizes of a tensor's axes, outermost first. `[]` is a scalar. */
export type Shape = readonly number[];

/**
 * What a tensor holds. `float32` is computed in the backend's floating-point precision (the
 * reference can widen it to float64); `int32` holds labels and the origins of sampled regions.
 */
export type DType = "float32" | "int32";

/** The number of elements of a tensor of this shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Whether both have the same number of axes, of the same lengths. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** Readable form for messages, `[128, 16, 32, 32]`. */
export function showShape(shape: Shape): string {
  return `[${shape.map(String).join(", ")}]`;
}

/**
 * Refuses what is no shape.
 * @throws TypeError for what is no array, RangeError unless every size is a whole number of at least 1.
 */
export function checkShape(where: string, shape: Shape): void {
  checkMethod(where, "shape", shape, "every", "an array of sizes, such as [128, 3, 32, 32]");
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 1)) {
    throw new RangeError(
      `${where}: shape [${shape.map(showValue).join(", ")}] has a size that is not a whole number >= 1`,
    );
  }
}

/**
 * The shape two operands broadcast to: axes are aligned at the end, and sizes must be equal or 1.
 * @throws RangeError when they do not fit.
 */
export function broadcastShapes(where: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const p = a[axis - rank + a.length] ?? 1;
    const q = b[axis - rank + b.length] ?? 1;
    if (p !== q && p !== 1 && q !== 1) {
      throw new RangeError(
        `${where}: shapes ${showShape(a)} and ${showShape(b)} do not broadcast; sizes must be equal or 1, aligned at the last axis`,
      );
    }
    return Math.max(p, q);
  });
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}
