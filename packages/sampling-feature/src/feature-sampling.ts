// Feature sampling: a patch of every feature map, in all images of the batch.
import {
  checkRatio,
  describeSize,
  formatRatioOptions,
  type MapShape,
  parseRatioOptions,
  type RatioOptions,
  type Strategy,
  tooFewValues,
  valueCount,
} from "@fewnorm/sampling";
import { checkCount, checkOptions, foldIn, randomInteger } from "@fewnorm/tensor";
import { nearestPatch, type Patch } from "./nearest-patch.ts";

/** The patch: its size in pixels, or its share of the map. */
export type FeatureSamplingOptions = Patch | RatioOptions;

/**
 * Feature sampling: a p_h×p_w patch of every feature map, in all images. Its place is drawn for
 * every layer and step, uniformly from all places within the map; it is the same in all images
 * and channels.
 *
 * With `{ height, width }`, the patch has that size. With `{ ratio }`, it is the patch nearest to
 * H·W·ratio pixels (see `nearestPatch`), of as many pixels as it takes to have `minValues` values
 * a channel in all images together, up to the whole map.
 *
 * Named "fs:4x8" (height first) or "fs:1/32", with another `minValues` than the default "fs:1/32:min10".
 *
 * Source: Chen et al., "Batch Normalization Sampling", arXiv 1810.10962.
 * @throws RangeError for a side that is not a whole number from 1, a ratio outside (0, 1], or a
 *   `minValues` that is not a whole number from 2; from `extent` for a patch larger than the map,
 *   or fewer than 2 values a channel.
 */
export function featureSampling(options: FeatureSamplingOptions): Strategy {
  const { name, patchIn } = settingsOf(options);
  return {
    name,
    virtualRows: 0,
    extent(shape) {
      const { height, width } = patchIn(shape);
      if (height > shape.height || width > shape.width) {
        throw new RangeError(
          `${name}: a patch of ${height}×${width} is to be sampled, and the maps are ${describeSize(shape)}; ` +
            `use fs:${shape.height}x${shape.width} at most`,
        );
      }
      const extent = { rows: shape.rows, height, width };
      if (valueCount(extent) < 2) {
        const smallest = shape.width > 1 ? "fs:1x2" : shape.height > 1 ? "fs:2x1" : undefined;
        throw tooFewValues(name, extent, shape, smallest);
      }
      return extent;
    },
    origin: (extent, shape, key) => ({
      row: 0,
      top: randomInteger(foldIn(key, 0), shape.height - extent.height + 1),
      left: randomInteger(foldIn(key, 1), shape.width - extent.width + 1),
    }),
  };
}

function settingsOf(options: FeatureSamplingOptions): {
  name: string;
  patchIn: (shape: MapShape) => Patch;
} {
  checkOptions("featureSampling", options, {
    height: "number",
    width: "number",
    ratio: "number",
    minValues: "number",
  });
  if ("height" in options) {
    checkOptions("featureSampling with height and width", options, {
      height: "number",
      width: "number",
    });
    const height = checkCount("featureSampling", "height", options.height);
    const width = checkCount("featureSampling", "width", options.width);
    return { name: `fs:${height}x${width}`, patchIn: () => ({ height, width }) };
  }
  const checked = checkRatio("featureSampling", options);
  const { ratio, minValues } = checked;
  return {
    name: `fs:${formatRatioOptions(checked)}`,
    patchIn({ rows, ...map }) {
      const pixels = map.height * map.width;
      const atLeast = Math.min(pixels, Math.ceil(minValues / rows));
      return nearestPatch(map, pixels * ratio, atLeast);
    },
  };
}

/**
 * Feature sampling from what follows "fs:" in its name: a patch of "4x8" pixels (height first),
 * "1/32" of the map, or "1/32:min10".
 * @throws RangeError for other spellings, and as `featureSampling`.
 */
export function parseFeatureSampling(text: string): Strategy {
  const sides = /^0*([1-9]\d*)x0*([1-9]\d*)$/.exec(text);
  if (sides) return featureSampling({ height: Number(sides[1]), width: Number(sides[2]) });
  const share = parseRatioOptions(text);
  if (share !== undefined) return featureSampling(share);
  throw new RangeError(
    `parseFeatureSampling: "${text}" is neither a patch nor a ratio; write for example fs:4x8 or fs:1/32`,
  );
}
