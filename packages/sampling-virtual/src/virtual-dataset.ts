// Virtual dataset normalization: a few synthetic images ride along with the batch.
import {
  describeSize,
  parseCount,
  type Strategy,
  tooFewValues,
  valueCount,
} from "@fewnorm/sampling";
import { checkCount, checkOptions, type Key, key as keyOf, normal } from "@fewnorm/tensor";

/** Options of {@link virtualDataset}. */
export interface VirtualDatasetOptions {
  /** How many virtual images. */
  readonly images: number;
  /** The same images at all steps, instead of fresh ones at each. Default: fresh. */
  readonly kept?: boolean;
  /** What kept images are drawn from: a whole number from 0 to 2^53 − 1; default 0. Fresh ones come from the step's key. */
  readonly seed?: number;
}

/**
 * Virtual dataset normalization: n_v images of noise pass through the same layers as the batch,
 * every layer's statistics come from them alone (whole maps), and the loss leaves them out. Each
 * pixel is drawn from the standard normal distribution, in standardized units: per channel it has
 * the mean and the deviation of the normalized data.
 *
 * Named "vdn:4", or "vdn:4:kept" for kept images.
 *
 * Source: Chen et al., "Batch Normalization Sampling", arXiv 1810.10962.
 * @throws RangeError for a count that is not a whole number from 1, or a seed out of range; from
 *   `extent` for fewer than 2 values a channel, or maps of other rows than the virtual ones.
 */
export function virtualDataset(options: VirtualDatasetOptions): Strategy {
  checkOptions("virtualDataset", options, { images: "number", kept: "boolean", seed: "number" });
  const images = checkCount("virtualDataset", "images", options.images);
  const keptKey = options.kept ? keyOf(options.seed ?? 0) : undefined;
  const name = options.kept ? `vdn:${images}:kept` : `vdn:${images}`;
  const draw = (key: Key, count: number) => new Float32Array(normal(key, count));
  let kept: Float32Array | undefined;
  return {
    name,
    virtualRows: images,
    extent(shape) {
      if (shape.rows !== images) {
        throw new RangeError(
          `${name}: the maps are ${describeSize(shape)}, and the virtual images are ${images}; give the maps of those`,
        );
      }
      const extent = { rows: images, height: shape.height, width: shape.width };
      if (valueCount(extent) < 2) throw tooFewValues(name, extent, shape, "vdn:2");
      return extent;
    },
    origin: () => ({ row: 0, top: 0, left: 0 }),
    virtualInput({ rows, channels, height, width }, key) {
      const count = rows * channels * height * width;
      if (keptKey === undefined) return draw(key, count);
      if (kept?.length !== count) kept = draw(keptKey, count);
      return kept.slice();
    },
  };
}

/**
 * Virtual dataset normalization from what follows "vdn:" in its name: "4" images, "4:kept" for
 * kept ones.
 * @throws RangeError for other spellings, and as `virtualDataset`.
 */
export function parseVirtualDataset(text: string): Strategy {
  const kept = text.endsWith(":kept");
  const images = parseCount(kept ? text.slice(0, -":kept".length) : text);
  if (images !== undefined) return virtualDataset({ images, kept });
  throw new RangeError(
    `parseVirtualDataset: "${text}" is not a number of images; write for example vdn:4 or vdn:4:kept`,
  );
}
