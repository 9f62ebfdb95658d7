// Batch sampling: a few consecutive images of the batch, all of their pixels.
import {
  checkRatio,
  formatRatioOptions,
  parseCount,
  parseRatioOptions,
  type RatioOptions,
  type Strategy,
} from "@fewnorm/sampling";
import { checkCount, checkOptions, randomInteger } from "@fewnorm/tensor";
import { imagesExtent } from "./images-extent.ts";

/** How many images: a number of them, or a share of the batch. */
export type BatchSamplingOptions = { readonly images: number } | RatioOptions;

/**
 * Batch sampling: n_s consecutive images of the batch, cyclically, whole maps. The first image is
 * drawn for every layer and step, uniformly from the batch.
 *
 * With `{ images }`, n_s is that number. With `{ ratio }`, n_s is N·ratio, rounded, and as many
 * more as it takes to have `minValues` values a channel, up to the whole batch of N.
 *
 * Named "bs:4" or "bs:1/32", with another `minValues` than the default "bs:1/32:min10".
 *
 * Source: Chen et al., "Batch Normalization Sampling", arXiv 1810.10962.
 * @throws RangeError for a count that is not a whole number from 1, a ratio outside (0, 1], or a
 *   `minValues` that is not a whole number from 2; from `extent` for more images than the batch
 *   has, or fewer than 2 values a channel.
 */
export function batchSampling(options: BatchSamplingOptions): Strategy {
  const { name, countIn } = settingsOf(options);
  return {
    name,
    virtualRows: 0,
    extent: (shape) =>
      imagesExtent(name, "bs", countIn(shape.rows, shape.height * shape.width), shape),
    origin(extent, shape, key) {
      // All images in any rotation are the same sample; then the batch's own order is the cheapest.
      const row = extent.rows === shape.rows ? 0 : randomInteger(key, shape.rows);
      return { row, top: 0, left: 0 };
    },
  };
}

function settingsOf(options: BatchSamplingOptions): {
  name: string;
  countIn: (rows: number, pixels: number) => number;
} {
  checkOptions("batchSampling", options, {
    images: "number",
    ratio: "number",
    minValues: "number",
  });
  if ("images" in options) {
    checkOptions("batchSampling with images", options, { images: "number" });
    const images = checkCount("batchSampling", "images", options.images);
    return { name: `bs:${images}`, countIn: () => images };
  }
  const checked = checkRatio("batchSampling", options);
  const { ratio, minValues } = checked;
  return {
    name: `bs:${formatRatioOptions(checked)}`,
    countIn: (rows, pixels) =>
      Math.min(rows, Math.max(Math.round(rows * ratio), Math.ceil(minValues / pixels))),
  };
}

/**
 * Batch sampling from what follows "bs:" in its name: "4" images, "1/32" of the batch, or "1/32:min10".
 * @throws RangeError for other spellings, and as `batchSampling`.
 */
export function parseBatchSampling(text: string): Strategy {
  const images = parseCount(text);
  if (images !== undefined) return batchSampling({ images });
  const share = parseRatioOptions(text);
  if (share !== undefined) return batchSampling(share);
  throw new RangeError(
    `parseBatchSampling: "${text}" is neither a number of images nor a ratio; write for example bs:4 or bs:1/32`,
  );
}
