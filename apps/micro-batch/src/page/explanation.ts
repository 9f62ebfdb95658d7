// What one sees, in three sentences.

import type { Settings } from "../settings.ts";

const images = (count: number) => `${count} ${count === 1 ? "image" : "images"}`;

export function explanation({ micro, batch }: Settings): readonly [string, string, string] {
  const parts = batch / micro;
  const split =
    parts === 1
      ? `all ${images(batch)} of a step at once`
      : `${images(micro)} at a time, which takes little memory, and ${parts} such micro-batches make one step of ${images(batch)}`;
  return [
    `All methods train the same small network from the same first weights on the same images in the same order: ${split}.`,
    `Batch norm (bn) takes mean and variance ${lotOf(micro, parts)}.`,
    `Virtual data (vdn) takes them from a few images of noise, and batch sampling (bs) from a few images out of the whole step, once for all micro-batches: ${
      parts === 1
        ? "where a step is split, these share steady statistics"
        : "these share steady statistics, so the network learns nearly as if the batch had never been split"
    }.`,
  ];
}

/** What batch norm's statistics are of, and what comes of it. */
function lotOf(micro: number, parts: number): string {
  if (micro === 1) {
    return "of a single image, which in the last layer is a single value that leaves nothing to estimate from: it cannot be trained so";
  }
  if (micro === 2) {
    return "of 2 images alone, and in the last layer 2 values always become +1 and −1, whatever they were: an image comes out differently with every neighbour, and the running averages that testing uses fit none of them";
  }
  if (parts === 1) {
    return `of all ${images(micro)}, as it is meant to; with smaller micro-batches it comes to differ from the other methods`;
  }
  return `of ${images(micro)} alone, and the fewer they are the more each image is judged by its chance neighbours, and the less the running averages that testing uses fit`;
}
