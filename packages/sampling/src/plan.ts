// What is settled when a model is built: each layer's extents and weights, checked.
import { checkExtent, checkStrategy } from "./check-strategy.ts";
import { partsOf, type Sampling } from "./mixture.ts";
import type { Extent, MapShape, Strategy } from "./strategy.ts";

/** A strategy at one layer, with its block's size settled. */
export interface PlannedPart {
  readonly strategy: Strategy;
  /** The maps the strategy samples: the batch's, or those of its virtual rows. */
  readonly shape: MapShape;
  readonly extent: Extent;
  /** Its share of the statistics: a layer's weights sum to 1. */
  readonly weight: number;
}

/** Values a channel in a block or map. */
export function valueCount(size: Extent | MapShape): number {
  return size.rows * size.height * size.width;
}

/** A shape or extent in words, as in "128 images of 32×32". */
export function describeSize({ rows, height, width }: Extent | MapShape): string {
  return `${rows} ${rows === 1 ? "image" : "images"} of ${height}×${width}`;
}

/**
 * The error for a block with fewer than 2 values a channel, of which there is no variance.
 * @param name The strategy's name.
 * @param smallest The strategy's smallest setting that works for this shape, as in "bs:2", if any does.
 */
export function tooFewValues(
  name: string,
  extent: Extent,
  shape: MapShape,
  smallest?: string,
): RangeError {
  const count = valueCount(extent);
  const remedy =
    smallest !== undefined
      ? `the smallest setting that works is ${smallest}`
      : valueCount(shape) > 1
        ? "use a larger setting"
        : "no setting works here: use a larger batch, or no batch normalization in this layer";
  return new RangeError(
    `${name}: the sample is ${describeSize(extent)} out of ${describeSize(shape)}, ` +
      `${count} ${count === 1 ? "value" : "values"} a channel, and a variance needs at least 2; ${remedy}`,
  );
}

/**
 * The extent of a strategy at one layer, checked: whole numbers, within the shape, and at least 2
 * values a channel.
 * @param where What the message begins with, as in `norm: layer "layer1.0.bn1"`.
 * @param shape The maps the strategy samples (of its virtual rows, if it has any).
 * @throws RangeError that begins with `where`, also for those the strategy throws; TypeError for what is no strategy, or
 *   gives what is no extent.
 */
export function planExtent(where: string, strategy: Strategy, shape: MapShape): Extent {
  checkStrategy(where, strategy);
  const { name } = strategy;
  for (const side of ["rows", "height", "width"] as const) {
    if (!Number.isInteger(shape[side]) || shape[side] < 1) {
      throw new RangeError(
        `${where}: the map's ${side} is ${shape[side]}; give a whole number from 1`,
      );
    }
  }
  const extent = extentOf(where, strategy, shape);
  checkExtent(where, name, extent, shape);
  if (valueCount(extent) < 2) {
    const smallest = strategy.virtualRows > 0 ? "one with more virtual images" : undefined;
    throw located(where, tooFewValues(name, extent, shape, smallest));
  }
  return extent;
}

function extentOf(where: string, strategy: Strategy, shape: MapShape): Extent {
  try {
    return strategy.extent(shape);
  } catch (error) {
    throw error instanceof RangeError ? located(where, error) : error;
  }
}

const located = (where: string, error: RangeError): RangeError =>
  new RangeError(`${where}: ${error.message}`, { cause: error });

/**
 * A layer's parts with their extents and weights, which sum to 1. A part with virtual rows gets
 * the same maps with `rows` = its `virtualRows`.
 * @param where What an error's message begins with, as in `norm: layer "layer1.0.bn1"`.
 * @param shape The layer's maps for the real batch.
 * @throws RangeError as `planExtent`.
 */
export function planParts(where: string, sampling: Sampling, shape: MapShape): PlannedPart[] {
  const parts = partsOf(sampling).map(({ strategy, weight }) => {
    const own = strategy.virtualRows > 0 ? { ...shape, rows: strategy.virtualRows } : shape;
    const extent = planExtent(where, strategy, own);
    return { strategy, shape: own, extent, weight: weight ?? valueCount(extent) };
  });
  const total = parts.reduce((sum, part) => sum + part.weight, 0);
  return parts.map((part) => ({ ...part, weight: part.weight / total }));
}
