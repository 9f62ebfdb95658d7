// What is drawn at each step: the origins of all layers' blocks, as the int32 vector a plan is fed.
import { foldIn, type Key } from "@fewnorm/tensor";
import { checkOrigin } from "./check-strategy.ts";
import type { Extent, MapShape, Origin, Strategy } from "./strategy.ts";

/** A block whose origin is drawn. A `PlannedPart` fits. */
export interface DrawnPart {
  readonly strategy: Strategy;
  readonly extent: Extent;
  readonly shape: MapShape;
}

/** One layer's blocks, in order. */
export interface DrawnLayer {
  readonly parts: readonly DrawnPart[];
}

/**
 * The origin of one block at one step, checked: kernels rely on its range.
 * @throws RangeError if it is out of range, TypeError if it is none.
 */
export function drawOrigin({ strategy, extent, shape }: DrawnPart, key: Key): Origin {
  const origin = strategy.origin(extent, shape, key);
  checkOrigin("drawOrigin", strategy.name, origin, extent, shape);
  return origin;
}

/**
 * The origins of all layers at one step: row, top, left for each layer and part, in order.
 * Part p of layer l draws from `foldIn(foldIn(key, l), p)`.
 * @param key The step's key.
 * @throws as {@link drawOrigin}.
 */
export function drawOrigins(layers: readonly DrawnLayer[], key: Key): Int32Array {
  const drawn: number[] = [];
  layers.forEach(({ parts }, l) => {
    const layerKey = foldIn(key, l);
    parts.forEach(({ strategy, extent, shape }, p) => {
      const origin = drawOrigin({ strategy, extent, shape }, foldIn(layerKey, p));
      drawn.push(origin.row, origin.top, origin.left);
    });
  });
  return Int32Array.from(drawn);
}
