// Refuses what is no strategy, or gives what is no extent: plain JavaScript, where strategies are written first, has no
// types to do so.
import { showValue } from "@fewnorm/tensor";
import type { Extent, MapShape, Origin, Strategy } from "./strategy.ts";

/**
 * Checks a strategy as far as it can be without asking it.
 * @param where what a message begins with, such as the function's name
 * @throws TypeError for what is none, or has no name, `extent` or `origin`; RangeError for `virtualRows` that is no whole
 *   number, and where only one of `virtualRows` and `virtualInput` is given.
 */
export function checkStrategy(where: string, strategy: Strategy): void {
  if (typeof strategy !== "object" || strategy === null) {
    throw new TypeError(
      `${where}: a strategy is ${showValue(strategy)}; give an object, such as batchSampling({ images: 4 }) makes`,
    );
  }
  const { name, virtualRows, virtualInput } = strategy;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `${where}: a strategy's name is ${showValue(name)}; give one, such as "mine:4"`,
    );
  }
  for (const [method, form] of [
    ["extent", "(shape) => ({ rows, height, width })"],
    ["origin", "(extent, shape, key) => ({ row, top, left })"],
  ] as const) {
    if (typeof strategy[method] === "function") continue;
    throw new TypeError(
      `${where}: ${name}: ${method} is ${showValue(strategy[method])}; a strategy has a function ${method}: ${form}`,
    );
  }
  if (!Number.isInteger(virtualRows) || virtualRows < 0) {
    throw new RangeError(
      `${where}: ${name}: virtualRows is ${showValue(virtualRows)}; give a whole number from 0, and 0 where there are no images but the batch's`,
    );
  }
  if (virtualRows > 0 !== (virtualInput !== undefined)) {
    throw new RangeError(
      `${where}: ${name}: virtualRows is ${virtualRows} and virtualInput is ${virtualInput ? "there" : "missing"}; ` +
        "a strategy needs both or neither",
    );
  }
}

const sides = ["rows", "height", "width"] as const;

/**
 * Checks what a strategy gave for a shape.
 * @throws TypeError for what is no extent, RangeError for sizes that do not lie within the shape.
 */
export function checkExtent(where: string, name: string, extent: Extent, shape: MapShape): void {
  if (typeof extent !== "object" || extent === null || Array.isArray(extent)) {
    throw new TypeError(
      `${where}: ${name}: extent gave ${showValue(extent)}; let it return { rows, height, width }`,
    );
  }
  for (const side of sides) {
    if (!Number.isInteger(extent[side]) || extent[side] < 1 || extent[side] > shape[side]) {
      throw new RangeError(
        `${where}: ${name}: the sample's ${side} is ${showValue(extent[side])}, and the map has ${shape[side]}; ` +
          `use a setting that gives a whole number from 1 to ${shape[side]}`,
      );
    }
  }
  // A stride, say, would be passed over in silence. What the shape has, is copied from it.
  const other = Object.keys(extent).find((key) => !(key in shape));
  if (other !== undefined) {
    throw new TypeError(
      `${where}: ${name}: extent gave "${other}"; a sample is a block of consecutive images and pixels, which rows, height and width describe`,
    );
  }
}

/** Checks what a strategy drew. @throws TypeError for what is no origin, RangeError for one out of range. */
export function checkOrigin(
  where: string,
  name: string,
  origin: Origin,
  extent: Extent,
  shape: MapShape,
): void {
  if (originFits(origin, extent, shape)) return;
  if (typeof origin !== "object" || origin === null) {
    throw new TypeError(
      `${where}: ${name}: origin gave ${showValue(origin)}; let it return { row, top, left }`,
    );
  }
  const { row, top, left } = origin;
  throw new RangeError(
    `${where}: ${name} drew row ${showValue(row)}, top ${showValue(top)}, left ${showValue(left)}; ` +
      `give whole numbers below ${shape.rows}, ${shape.height - extent.height + 1} and ${shape.width - extent.width + 1}`,
  );
}

/** Whether an origin lies in the range that `Origin` states. */
export function originFits(origin: Origin, extent: Extent, shape: MapShape): boolean {
  const below = (value: number, bound: number) =>
    Number.isInteger(value) && value >= 0 && value < bound;
  return (
    typeof origin === "object" &&
    origin !== null &&
    below(origin.row, shape.rows) &&
    below(origin.top, shape.height - extent.height + 1) &&
    below(origin.left, shape.width - extent.width + 1)
  );
}
