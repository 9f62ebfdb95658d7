// Naive sampling: always the first images. The ablation that shows why origins are drawn.
import { parseCount, type Strategy } from "@fewnorm/sampling";
import { checkCount, checkOptions } from "@fewnorm/tensor";
import { imagesExtent } from "./images-extent.ts";

/** How many images. */
export interface NaiveSamplingOptions {
  readonly images: number;
}

/**
 * Naive sampling: the first n_s images of the batch, whole maps, the same for all layers and steps.
 *
 * Named "ns:4".
 *
 * Source: Chen et al., "Batch Normalization Sampling", arXiv 1810.10962.
 * @throws RangeError for a count that is not a whole number from 1; from `extent` for more images
 *   than the batch has, or fewer than 2 values a channel.
 */
export function naiveSampling(options: NaiveSamplingOptions): Strategy {
  checkOptions("naiveSampling", options, { images: "number" });
  const images = checkCount("naiveSampling", "images", options.images);
  const name = `ns:${images}`;
  return {
    name,
    virtualRows: 0,
    extent: (shape) => imagesExtent(name, "ns", images, shape),
    origin: () => ({ row: 0, top: 0, left: 0 }),
  };
}

/**
 * Naive sampling from what follows "ns:" in its name: "4" images.
 * @throws RangeError for other spellings, and as `naiveSampling`.
 */
export function parseNaiveSampling(text: string): Strategy {
  const images = parseCount(text);
  if (images !== undefined) return naiveSampling({ images });
  throw new RangeError(
    `parseNaiveSampling: "${text}" is not a number of images; write for example ns:4`,
  );
}
