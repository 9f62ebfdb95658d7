// What is drawn at each step: the origins of all layers' blocks, as the int32 vector a plan is fed.
import { foldIn, type Key } from "@fewnorm/tensor";
import type { Extent, MapShape, Origin, Strategy } from "./strategy.ts";

/** One layer's blocks, in order. `PlannedPart`s fit. */
export interface DrawnLayer {
  readonly parts: readonly {
    readonly strategy: Strategy;
    readonly extent: Extent;
    readonly shape: MapShape;
  }[];
}

/**
 * The origins of all layers at one step: row, top, left for each layer and part, in order.
 * Part p of layer l draws from `foldIn(foldIn(key, l), p)`.
 * @param key The step's key.
 * @throws RangeError if a strategy's origin is out of range: kernels rely on it.
 */
export function drawOrigins(layers: readonly DrawnLayer[], key: Key): Int32Array {
  const drawn: number[] = [];
  layers.forEach(({ parts }, l) => {
    const layerKey = foldIn(key, l);
    parts.forEach(({ strategy, extent, shape }, p) => {
      const origin = strategy.origin(extent, shape, foldIn(layerKey, p));
      if (!originFits(origin, extent, shape)) {
        throw new RangeError(
          `drawOrigins: ${strategy.name} drew row ${origin.row}, top ${origin.top}, left ${origin.left}; ` +
            `give whole numbers below ${shape.rows}, ${shape.height - extent.height + 1} and ${shape.width - extent.width + 1}`,
        );
      }
      drawn.push(origin.row, origin.top, origin.left);
    });
  });
  return Int32Array.from(drawn);
}

/** Whether an origin lies in the range that `Origin` states. */
export function originFits(origin: Origin, extent: Extent, shape: MapShape): boolean {
  const below = (value: number, bound: number) =>
    Number.isInteger(value) && value >= 0 && value < bound;
  return (
    below(origin.row, shape.rows) &&
    below(origin.top, shape.height - extent.height + 1) &&
    below(origin.left, shape.width - extent.width + 1)
  );
}
