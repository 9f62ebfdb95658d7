// Batches of a split: shuffled, augmented and normalized, by epoch and step in any order.
import { checkOptions, foldIn, type Key, permutation } from "@fewnorm/tensor";
import {
  type Augmentation,
  copyAugmented,
  copyImage,
  type Draw,
  drawAugmentation,
  normalizationTable,
} from "./augmentation.ts";
import { checkObject, checkSplit, type Dataset, type Split } from "./dataset.ts";

/** One batch, ready to be fed. */
export interface Batch {
  /** Normalized images, [batchSize, C, H, W]. */
  readonly images: Float32Array;
  /** Class numbers, [batchSize]. */
  readonly labels: Int32Array;
  /** How many images there are; those after them are padding: zeros, with label 0. */
  readonly count: number;
}

/** Where a batch is written: batchSize·C·H·W and batchSize values. */
export interface BatchBuffers {
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

/** Options of {@link createBatches}. */
export interface BatchesOptions {
  /** Shape of the images, and mean and deviation of each channel to normalize with: the data set that the split is from. */
  readonly dataset: Pick<Dataset, "shape" | "mean" | "deviation">;
  /** Images in a batch, the same for every batch. */
  readonly batchSize: number;
  /** Shuffles anew in each epoch. Without a key, images come in the split's order, and all epochs are alike. */
  readonly key?: Key;
  /** Pad, crop and flip: `true` for pad 4 and flip. Needs a key. None by default. */
  readonly augment?: boolean | Augmentation;
  /** What becomes of the images that do not fill a batch: "drop" (default with a key) or "pad" (default without). */
  readonly lastBatch?: "drop" | "pad";
}

export const batchesOptions = {
  dataset: "any",
  batchSize: "number",
  key: "array",
  augment: "any",
  lastBatch: "string",
} as const;

/** What `createBatches` and `createPrefetch` have in common: enough for a training loop. */
export interface BatchSource {
  /** Images in a batch, padding included. */
  readonly batchSize: number;
  /** Batches in an epoch. */
  readonly stepsPerEpoch: number;
  /** Images in an epoch, without padding: stepsPerEpoch · batchSize in "drop" mode, the split's count in "pad" mode. */
  readonly imagesPerEpoch: number;
  /** Shape of a batch: [batchSize, C, H, W]. */
  readonly shape: readonly [number, number, number, number];
  /**
   * The batch of a step, counted from 0 in each epoch. The same arguments always give the same batch.
   * @throws RangeError for an epoch or step that there is not
   */
  batch(epoch: number, step: number): Batch | Promise<Batch>;
}

/** Batches, made when asked for. */
export interface Batches extends BatchSource {
  /**
   * As in `BatchSource`. Written into `into`, or else into two buffers in turn: such a batch stays valid until
   * the next but one is asked for.
   * @throws RangeError also for buffers of the wrong size
   */
  batch(epoch: number, step: number, into?: BatchBuffers): Batch;
}

/**
 * Batches of a split. Pixels become (x/255 − mean)/deviation of their channel.
 *
 * The order of an epoch is permutation(foldIn(key, epoch)); an image's crop and flip depend on nothing but
 * key, epoch and its index in the split. So every (epoch, step) gives the same batch in whichever order they
 * are asked for, and a resumed run sees what an uninterrupted one would have.
 *
 * @throws RangeError for a batch size that is not a positive whole number, or larger than the split in
 *   "drop" mode; for augmentation without a key; for a split that does not fit the data set's shape.
 */
export function createBatches(split: Split, options: BatchesOptions): Batches {
  const who = "createBatches";
  checkOptions(who, options, batchesOptions);
  const { dataset, batchSize, key, lastBatch = key ? "drop" : "pad" } = options;
  checkObject(who, "dataset", dataset, "the data set that the split is of");
  const { shape, mean, deviation } = dataset;
  checkSplit(who, split, shape);
  checkStatistics(mean, deviation, shape[0]);
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`${who}: batchSize is ${batchSize}; give a positive whole number`);
  }
  if (lastBatch === "drop" && batchSize > split.count) {
    throw new RangeError(
      `${who}: batchSize is ${batchSize}, but the split has ${split.count} images and incomplete batches are dropped; give at most ${split.count}`,
    );
  }
  const augmentation = checkAugmentation(options);
  const pad = augmentation?.pad ?? 4;

  const plane = shape[1] * shape[2];
  const imageSize = shape[0] * plane;
  const stepsPerEpoch =
    lastBatch === "drop" ? Math.floor(split.count / batchSize) : Math.ceil(split.count / batchSize);
  const table = normalizationTable(mean, deviation);
  const draw: Draw = { top: 0, left: 0, flip: false };
  const ring: BatchBuffers[] = [];
  let turn = 0;
  // Of the epoch last asked for: drawing 50,000 places takes longer than a batch.
  let current: { epoch: number; key: Key; order: Uint32Array } | undefined;

  function epochOf(number: number, from: Key): { key: Key; order: Uint32Array } {
    if (current?.epoch !== number) {
      const epochKey = foldIn(from, number);
      current = { epoch: number, key: epochKey, order: permutation(epochKey, split.count) };
    }
    return current;
  }

  function nextBuffers(): BatchBuffers {
    turn = 1 - turn;
    ring[turn] ??= {
      images: new Float32Array(batchSize * imageSize),
      labels: new Int32Array(batchSize),
    };
    return ring[turn] as BatchBuffers;
  }

  return {
    batchSize,
    stepsPerEpoch,
    imagesPerEpoch: lastBatch === "drop" ? stepsPerEpoch * batchSize : split.count,
    shape: [batchSize, ...shape],
    batch(epoch, step, into) {
      checkPosition("batch", epoch, step, stepsPerEpoch);
      const { images, labels } = into ?? nextBuffers();
      if (images.length !== batchSize * imageSize || labels.length !== batchSize) {
        throw new RangeError(
          `batch: buffers hold ${images.length} pixel values and ${labels.length} labels; a batch takes ${batchSize * imageSize} and ${batchSize}`,
        );
      }
      const drawn = key && epochOf(epoch, key);
      const begin = step * batchSize;
      const count = Math.min(batchSize, split.count - begin);
      for (let i = 0; i < count; i++) {
        const index = drawn ? (drawn.order[begin + i] as number) : begin + i;
        labels[i] = split.labels[index] as number;
        const from = index * imageSize;
        const to = i * imageSize;
        if (drawn && augmentation) {
          drawAugmentation(drawn.key, index, augmentation, draw);
          copyAugmented(split.images, from, table, shape, draw, pad, images, to);
        } else copyImage(split.images, from, table, shape[0], plane, images, to);
      }
      images.fill(0, count * imageSize);
      labels.fill(0, count);
      return { images, labels, count };
    },
  };
}

/** Throws a RangeError unless `epoch` is a whole number from 0 to 2³² − 1 and `step` is below `stepsPerEpoch`. */
export function checkPosition(
  who: string,
  epoch: number,
  step: number,
  stepsPerEpoch: number,
): void {
  if (!Number.isInteger(epoch) || epoch < 0 || epoch >= 2 ** 32) {
    throw new RangeError(`${who}: epoch is ${epoch}; give a whole number from 0 to 2^32 - 1`);
  }
  if (!Number.isInteger(step) || step < 0 || step >= stepsPerEpoch) {
    throw new RangeError(
      `${who}: step is ${step}; give a whole number from 0 to ${stepsPerEpoch - 1}`,
    );
  }
}

function checkStatistics(
  mean: readonly number[],
  deviation: readonly number[],
  channels: number,
): void {
  if (mean.length !== channels || deviation.length !== channels) {
    throw new RangeError(
      `createBatches: ${mean.length} means and ${deviation.length} deviations for ${channels} channels; give one of each for every channel`,
    );
  }
  if (![...mean, ...deviation].every(Number.isFinite) || deviation.some((σ) => σ < 0)) {
    throw new RangeError(
      `createBatches: mean is [${mean}], deviation is [${deviation}]; give finite numbers, and no negative deviation`,
    );
  }
}

function checkAugmentation({ augment, key, dataset }: BatchesOptions): Augmentation | undefined {
  if (augment === undefined || augment === false) return undefined;
  if (key === undefined) {
    throw new RangeError(
      "createBatches: augmentation is drawn from a key, but there is none; give key",
    );
  }
  const augmentation = augment === true ? {} : augment;
  checkOptions("createBatches, augment", augmentation, { pad: "number", flip: "boolean" });
  const { pad = 4 } = augmentation;
  const largest = Math.min(dataset.shape[1], dataset.shape[2]);
  if (!Number.isInteger(pad) || pad < 0 || pad > largest) {
    throw new RangeError(
      `createBatches: pad is ${pad}; give a whole number from 0 to ${largest}, the image's smaller side`,
    );
  }
  return augmentation;
}
