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

/** Groups of threads along an axis that every WebGPU device offers, and threads along each of several in them. */
const MOST_GROUPS = 65535;
const MOST_ALONG = 8 * MOST_GROUPS;

const product = (shape: Shape): number => sizeOf(shape);

/** Which axes of a shape lie along x, y and z of threads; undefined where its first one is too long for one of these. */
function axesOf([n = 1, c = 1, ...map]: Shape): readonly Shape[] | undefined {
  if (map.length === 0) return n <= MOST_ALONG ? [[c], [n]] : undefined;
  if (n > MOST_GROUPS) return undefined;
  if (product(map) <= MOST_ALONG) return [map, [c], [n]];
  return [map.slice(-1), [c, ...map.slice(0, -1)], [n]];
}

/**
 * The sizes of a kernel's threads, x first. Row-major, they enumerate the elements; there may be some more
 * threads than elements, at the end.
 */
export function threadsOf(shape: Shape, layout: ThreadLayout): number[] {
  if (layout === "flat" || shape.length < 2) return [product(shape)];
  const axes = axesOf(shape);
  if (axes !== undefined) return axes.map(product);
  const [n = 1, ...rest] = shape;
  return [product(rest), MOST_GROUPS, Math.ceil(n / MOST_GROUPS)];
}

/** Whether every WebGPU device takes as many threads along several axes. */
export const fitsGrid = (shape: Shape): boolean =>
  threadsOf(shape, "grid").every(
    (threads, axis, all) => all.length === 1 || threads <= (axis < 2 ? MOST_ALONG : MOST_GROUPS),
  );

/** The coordinates of the element of this thread. */
export function threadCoordinates(e: Emitter, shape: Shape, layout: ThreadLayout): Coordinates {
  if (product(shape) === 1) return shape.map(() => "0");
  const along = (axis: string, lengths: Shape): Coordinates =>
    product(lengths) === 1
      ? lengths.map(() => "0")
      : unflatten(e, e.name(`this.thread.${axis}`), lengths);
  if (layout === "flat" || shape.length < 2) return along("x", shape);
  const axes = axesOf(shape);
  if (axes === undefined) {
    const row = e.name(`this.thread.y + this.thread.z * ${MOST_GROUPS}`);
    return [row, ...along("x", shape.slice(1))];
  }
  const [x = [], y = [], z = []] = axes;
  return [...along("z", z), ...along("y", y), ...along("x", x)];
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
