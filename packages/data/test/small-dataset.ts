// Data sets in memory for the tests of batches: every image says which one it is.
import { createDataset, type Dataset } from "@fewnorm/data";

/**
 * `count` training images of C×H×W with random-looking pixels; the first two pixels of an image are its
 * index (high and low byte), its label is index mod 10. The test split has 7 images.
 */
export function smallDataset(
  count: number,
  shape: readonly [number, number, number] = [3, 4, 5],
): Dataset {
  const size = shape[0] * shape[1] * shape[2];
  const make = (images: number) => {
    const bytes = new Uint8Array(images * size);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i + 1, 0x9e3779b1) >>> 24;
    for (let image = 0; image < images; image++) {
      bytes[image * size] = image >> 8;
      bytes[image * size + 1] = image & 255;
    }
    return {
      count: images,
      images: bytes,
      labels: Uint8Array.from({ length: images }, (_, i) => i % 10),
    };
  };
  const classes = Array.from("0123456789");
  return createDataset({ name: "small", classes, shape, train: make(count), test: make(7) });
}

/** The same data with μ = 0 and σ = 1/255: batches then hold the bytes themselves. */
export function unnormalized(data: Dataset): Dataset {
  return { ...data, mean: data.mean.map(() => 0), deviation: data.mean.map(() => 1 / 255) };
}

/** Which images a batch of unnormalized, not augmented `smallDataset` images holds. */
export function indicesOf(images: Float32Array, count: number): number[] {
  const size = images.length / count;
  return Array.from({ length: count }, (_, i) => {
    const [high, low] = images.subarray(i * size, i * size + 2) as unknown as [number, number];
    return Math.round(high) * 256 + Math.round(low);
  });
}
