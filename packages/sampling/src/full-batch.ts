// Ordinary batch normalization as a strategy: everything is sampled.
import { tooFewValues, valueCount } from "./plan.ts";
import type { Strategy } from "./strategy.ts";

/**
 * Full batch normalization, "bn": all rows, whole maps.
 * @throws RangeError from `extent` for maps of fewer than 2 values a channel.
 */
export function fullBatch(): Strategy {
  return {
    name: "bn",
    virtualRows: 0,
    extent(shape) {
      const extent = { rows: shape.rows, height: shape.height, width: shape.width };
      if (valueCount(extent) < 2) throw tooFewValues("bn", extent, shape);
      return extent;
    },
    origin: () => ({ row: 0, top: 0, left: 0 }),
  };
}
