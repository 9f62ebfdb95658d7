// How threads are laid over a tensor's elements: one each, in the elements' order.

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Coordinates } from "../lowered.ts";
import type { Emitter } from "./emitter.ts";

/**
 * `grid`: up to three axes; `flat`: one, for engines whose arrays have as many axes as their kernels' threads; `wide`: as
 * `grid`, but one for the maps of a convolution: WebGPU's threads side by side are then all of one map, and read weights
 * together, where of two axes they are eight by eight.
 */
export type ThreadLayout = "grid" | "flat" | "wide";

/** Variables of kernels are float32, in which numbers are exact up to here. */
export const MOST_COUNTED = 2 ** 24;

/** @throws Error where a kernel would have to count more elements in one variable. */
export function checkCounted(elements: number): void {
  if (elements <= MOST_COUNTED) return;
  throw new Error(
    `compile: an operation counts ${elements} elements in one go, gpu.js's kernels no more than ${MOST_COUNTED}; use a smaller batch or model, or another backend`,
  );
}

/** Groups of threads in one dimension that every WebGPU device offers. */
const MOST_LAYERS = 65535;

const product = (shape: Shape): number => sizeOf(shape);

/**
 * The sizes of a kernel's threads, x first. Row-major, they enumerate the elements; there may be some more
 * threads than elements, at the end.
 */
export function threadsOf(shape: Shape, layout: ThreadLayout): number[] {
  if (layout === "flat" || shape.length < 2) return [product(shape)];
  const [n = 1, c = 1, ...rest] = shape;
  if (shape.length === 2) return [c, n];
  if (n <= MOST_LAYERS) return [product(rest), c, n];
  return [c * product(rest), MOST_LAYERS, Math.ceil(n / MOST_LAYERS)];
}

/** The coordinates of the element of this thread. */
export function threadCoordinates(e: Emitter, shape: Shape, layout: ThreadLayout): Coordinates {
  const x = () => e.name("this.thread.x");
  if (product(shape) === 1) return shape.map(() => "0");
  if (layout === "flat" || shape.length < 2) return unflatten(e, x(), shape);
  const [n = 1, ...rest] = shape;
  if (shape.length === 2) {
    return [n === 1 ? "0" : e.name("this.thread.y"), rest[0] === 1 ? "0" : x()];
  }
  if (n > MOST_LAYERS) {
    const row = e.name(`this.thread.y + this.thread.z * ${MOST_LAYERS}`);
    return [row, ...unflatten(e, x(), rest)];
  }
  const [c = 1, ...inner] = rest;
  return [
    n === 1 ? "0" : e.name("this.thread.z"),
    c === 1 ? "0" : e.name("this.thread.y"),
    ...unflatten(e, x(), inner),
  ];
}

/** The coordinates in `shape` of an element's position. */
export function unflatten(e: Emitter, position: string, shape: Shape): string[] {
  const coordinates = new Array<string>(shape.length).fill("0");
  let rest = position;
  let size = product(shape);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    if (length === 1) continue;
    const [quotient, remainder] = e.divide(rest, length, size - 1);
    coordinates[axis] = remainder;
    rest = quotient;
    size /= length;
  }
  return coordinates;
}
