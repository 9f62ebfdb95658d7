// What a data set is in memory, and how it is put together from images and labels.
import { checkKind, showValue } from "@fewnorm/tensor";
import { channelStatistics } from "./channel-statistics.ts";

/** Images with their labels. Image `i` is `images[i·C·H·W …]`, channels first (NCHW), one byte a value. */
export interface Split {
  /** Number of images, N. */
  readonly count: number;
  /** N·C·H·W pixel values, 0 … 255. Lies in shared memory where the platform has it. */
  readonly images: Uint8Array;
  /** N class numbers, each below the number of classes. */
  readonly labels: Labels;
}

/** Class numbers, in whatever width holds them: one byte goes to 255. */
export type Labels = Uint8Array | Uint16Array | Int32Array;

/** A data set for image classification, wholly in memory. Plain data: build one by hand, or with `createDataset`. */
export interface Dataset {
  /** As messages call it: `cifar10`. */
  readonly name: string;
  /** Names of the classes; a label is an index into them. */
  readonly classes: readonly string[];
  /** Shape of one image: channels, height, width. */
  readonly shape: readonly [channels: number, height: number, width: number];
  /** To train on. */
  readonly train: Split;
  /** To evaluate on. */
  readonly test: Split;
  /** Mean of each channel of the training images, of pixel values in 0 … 1. */
  readonly mean: readonly number[];
  /** Standard deviation (biased) of each channel of the training images, of pixel values in 0 … 1. */
  readonly deviation: readonly number[];
}

/** What `createDataset` starts from: a data set without its statistics. */
export type DatasetParts = Omit<Dataset, "mean" | "deviation">;

/**
 * Puts a data set together: checks that sizes and labels fit, and computes mean and deviation of each
 * channel over the training images (exactly, from a histogram of the 256 values).
 *
 * @param parts `shape` is [C, H, W]; each split holds N ≥ 1 images of C·H·W bytes and N labels.
 * @throws RangeError where a size does not fit its split's count, or a label has no class; TypeError for images in
 *   anything but bytes.
 */
export function createDataset(parts: DatasetParts): Dataset {
  const who = "createDataset";
  checkObject(who, "the data set", parts, "{ name, classes, shape, train, test }");
  const { name, classes, shape, train, test } = parts;
  checkKind(who, "classes", classes, "array");
  for (const [which, split] of [
    ["train", train],
    ["test", test],
  ] as const) {
    checkSplit(who, split, shape, which);
    const wrong = wrongLabel(split.labels, classes.length);
    if (wrong >= 0) {
      throw new RangeError(
        `createDataset: ${which} label ${wrong} is ${split.labels[wrong]}, but there are ${classes.length} classes; labels go from 0 to ${classes.length - 1}`,
      );
    }
  }
  return { name, classes, shape, train, test, ...channelStatistics(train.images, shape) };
}

/** @throws TypeError for what is no object at all. */
export function checkObject(who: string, what: string, value: unknown, form: string): void {
  if (typeof value === "object" && value !== null) return;
  throw new TypeError(`${who}: ${what} is ${showValue(value)}; give ${form}`);
}

/** The first label that is not one of 0 … classes − 1; −1 where there is none. */
export const wrongLabel = (labels: Labels, classes: number): number =>
  labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes));

/**
 * Throws a RangeError unless the arrays of `split` have the sizes that its count and `shape` ask for, and a TypeError
 * for what is no split, and for images in anything but bytes.
 */
export function checkSplit(
  who: string,
  split: Split,
  shape: readonly [number, number, number],
  which = "split",
): void {
  checkObject(who, which, split, "{ count, images, labels }");
  // A data set in a split's place, say.
  if (split.images === undefined) {
    throw new TypeError(`${who}: ${which} has no images; give { count, images, labels }`);
  }
  checkKind(who, "shape", shape, "array");
  if (shape.length !== 3 || !shape.every((extent) => Number.isInteger(extent) && extent > 0)) {
    throw new RangeError(
      `${who}: shape is [${shape}]; give three positive whole numbers, [C, H, W]`,
    );
  }
  const size = shape[0] * shape[1] * shape[2];
  if (!Number.isInteger(split.count) || split.count < 1) {
    throw new RangeError(`${who}: ${which} has ${split.count} images; at least one is needed`);
  }
  const { images } = split;
  // Of another realm they are no instances of this one's.
  const type = Object.prototype.toString.call(images).slice(8, -1);
  if (type !== "Uint8Array" && type !== "Uint8ClampedArray") {
    throw new TypeError(
      `${who}: ${which} images are of type ${type}; give a Uint8Array of pixel values from 0 to 255`,
    );
  }
  if (split.images.length !== split.count * size) {
    throw new RangeError(
      `${who}: ${which} has ${split.images.length} bytes of images; ${split.count} images of shape [${shape}] take ${split.count * size}`,
    );
  }
  if (split.labels.length !== split.count) {
    throw new RangeError(
      `${who}: ${which} has ${split.labels.length} labels for ${split.count} images; give one for each`,
    );
  }
}

/**
 * `length` zero bytes, in shared memory where that may be used (Node, and pages that are cross-origin
 * isolated): a worker that prepares batches then reads the same images instead of a copy.
 */
export function allocateBytes(length: number): Uint8Array {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  const shared = typeof SharedArrayBuffer !== "undefined" && crossOriginIsolated !== false;
  return new Uint8Array(shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length));
}
