// The block of both strategies: some images, whole maps.
import {
  describeSize,
  type Extent,
  type MapShape,
  tooFewValues,
  valueCount,
} from "@fewnorm/sampling";

/**
 * `images` whole images of a batch.
 * @param name The strategy's name, as in "bs:4".
 * @param kind What its names begin with, as in "bs".
 * @throws RangeError if the batch has fewer, or they hold fewer than 2 values a channel.
 */
export function imagesExtent(name: string, kind: string, images: number, shape: MapShape): Extent {
  if (images > shape.rows) {
    throw new RangeError(
      `${name}: ${images} images are to be sampled, and the batch is ${describeSize(shape)}; ` +
        `use ${kind}:${shape.rows} at most, or a larger batch`,
    );
  }
  const extent = { rows: images, height: shape.height, width: shape.width };
  if (valueCount(extent) < 2) {
    throw tooFewValues(name, extent, shape, shape.rows > 1 ? `${kind}:2` : undefined);
  }
  return extent;
}
