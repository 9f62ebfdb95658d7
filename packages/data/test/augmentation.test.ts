// Augmentation: each crop and flip against a slow formula, and how the draws are distributed.
import { createBatches } from "@fewnorm/data";
import { key } from "@fewnorm/tensor";
import test from "tape";
import { smallDataset, unnormalized } from "./small-dataset.ts";

type Shape = readonly [number, number, number];

/** One image, padded with 0, cropped at (top, left) and mirrored, pixel by pixel. */
function slowly(
  image: Uint8Array,
  [channels, height, width]: Shape,
  pad: number,
  [top, left, flip]: readonly [number, number, boolean],
): number[] {
  const out: number[] = [];
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const row = y + top - pad;
        const column = (flip ? width - 1 - x : x) + left - pad;
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        out.push(inside ? (image[(c * height + row) * width + column] as number) : 0);
      }
    }
  }
  return out;
}

/** All outcomes of an image's augmentation, by their pixels. */
function outcomes(image: Uint8Array, shape: Shape, pad: number): Map<string, number> {
  const all = new Map<string, number>();
  const places = 2 * pad + 1;
  for (let cell = 0; cell < 2 * places ** 2; cell++) {
    const [top, left] = [Math.floor(cell / 2 / places), Math.floor(cell / 2) % places];
    all.set(String(slowly(image, shape, pad, [top, left, cell % 2 === 1])), cell);
  }
  return all;
}

/** The cell (2·origin + flip) that each image of a split of `count` fell into in an epoch, by its index. */
function draws(count: number, epoch: number, seed: number): number[] {
  const shape = [3, 5, 5] as const;
  const data = unnormalized(smallDataset(1, shape));
  // Channel 0: all pixels differ, and from black, and so do all outcomes. Channels 1 and 2: the index.
  const channel0 = Uint8Array.from({ length: 25 }, (_, i) => i + 1);
  const images = new Uint8Array(count * 75);
  for (let i = 0; i < count; i++) {
    images.set(channel0, i * 75);
    images.fill(i >> 8, i * 75 + 25, i * 75 + 50);
    images.fill(i & 255, i * 75 + 50, i * 75 + 75);
  }
  const split = { count, images, labels: new Uint8Array(count) };
  const cells = outcomes(channel0, [1, 5, 5], 4);
  const options = { dataset: data, batchSize: count, key: key(seed), augment: true };
  const batch = createBatches(split, options).batch(epoch, 0).images;
  const found = new Array<number>(count).fill(-1);
  for (let i = 0; i < count; i++) {
    const pixels = Array.from(batch.subarray(i * 75, i * 75 + 75), Math.round);
    const index = Math.max(...pixels.slice(25, 50)) * 256 + Math.max(...pixels.slice(50));
    found[index] = cells.get(String(pixels.slice(0, 25))) ?? -1;
  }
  return found;
}

/** Σ (observed − expected)²/expected for equally likely cells. */
function chiSquare(cells: readonly number[], count: number): number {
  const observed = new Array<number>(count).fill(0);
  for (const cell of cells) observed[cell] = (observed[cell] ?? 0) + 1;
  const expected = cells.length / count;
  return observed.reduce((sum, o) => sum + (o - expected) ** 2 / expected, 0);
}

test("augmentation: every batch holds crops and flips of the right images", (t) => {
  for (const [shape, augment, pad] of [
    [[3, 6, 5], true, 4],
    [[1, 4, 7], { pad: 2 }, 2],
    [[2, 5, 5], { pad: 5 }, 5],
    [[2, 5, 5], { pad: 0 }, 0],
  ] as const) {
    const data = unnormalized(smallDataset(30, shape));
    const size = shape[0] * shape[1] * shape[2];
    // Labels are at most 255 and the split has 30 images: the label says which image it is.
    const labels = Uint8Array.from({ length: 30 }, (_, i) => i);
    const split = { ...data.train, labels };
    const batches = createBatches(split, { dataset: data, batchSize: 10, key: key(3), augment });
    let found = 0;
    for (let step = 0; step < 3; step++) {
      const batch = batches.batch(2, step);
      batch.labels.forEach((index, i) => {
        const image = split.images.subarray(index * size, (index + 1) * size);
        const pixels = Array.from(batch.images.subarray(i * size, (i + 1) * size), Math.round);
        if (outcomes(image, shape, pad).has(String(pixels))) found++;
      });
    }
    t.equal(found, 30, `${shape}, pad ${pad}`);
  }
  t.end();
});

test("augmentation: flip: false crops only, pad: 0 flips only", (t) => {
  const data = unnormalized(smallDataset(200, [1, 4, 4]));
  const options = { dataset: data, batchSize: 200, key: key(4) };
  const plain = createBatches(data.train, options).batch(0, 0).images.slice();
  const none = createBatches(data.train, { ...options, augment: { pad: 0, flip: false } });
  t.deepEqual(none.batch(0, 0).images, plain, "neither changes nothing");
  const flips = createBatches(data.train, { ...options, augment: { pad: 0 } }).batch(0, 0).images;
  let mirrored = 0;
  for (let row = 0; row < flips.length; row += 4) {
    const [now, before] = [flips.subarray(row, row + 4), plain.subarray(row, row + 4)];
    if (String(now) !== String(before)) {
      mirrored++;
      t.deepEqual([...now].reverse(), [...before], `row ${row} is mirrored`);
    }
  }
  t.ok(mirrored > 0 && mirrored < 800, `${mirrored} of 800 rows differ`);
  t.end();
});

test("augmentation: black is the padding, normalized like other pixels", (t) => {
  const data = smallDataset(50, [2, 4, 4]);
  const dataset = { ...data, mean: [0.5, 0.25], deviation: [0.25, 0.5] };
  const { images } = createBatches(data.train, {
    dataset,
    batchSize: 50,
    key: key(1),
    augment: { pad: 4 },
  }).batch(0, 0);
  const black = [-2, -0.5];
  const lowest = [0, 1].map((channel) =>
    Math.min(...images.filter((_, i) => Math.floor(i / 16) % 2 === channel)),
  );
  t.deepEqual(lowest, black);
  t.end();
});

test("augmentation: origins and flips are uniform and independent of each other", (t) => {
  const cells = draws(16_200, 0, 11);
  t.notOk(cells.includes(-1), "all are outcomes");
  const statistic = chiSquare(cells, 162);
  // χ² with 161 degrees of freedom exceeds 261.1 with probability 1e-6; the key is fixed.
  t.ok(statistic < 261.1, `χ² = ${statistic.toFixed(1)} over 81 origins × 2 sides`);
  t.end();
});

test("augmentation: an image's draw says nothing about its next epoch, its neighbour, or another key", (t) => {
  const first = draws(16_200, 0, 11);
  for (const [what, second] of [
    ["next epoch", draws(16_200, 1, 11)],
    ["another key", draws(16_200, 0, 12)],
    ["neighbour", [...first.slice(1), first[0] as number]],
  ] as const) {
    // Pairs of flips are uniform over 4 cells, pairs of top edges over 81.
    const flips = first.map((cell, i) => (cell % 2) * 2 + ((second[i] as number) % 2));
    // χ² with 3 degrees of freedom exceeds 30.7 with probability 1e-6.
    t.ok(chiSquare(flips, 4) < 30.7, `${what}: flips, χ² = ${chiSquare(flips, 4).toFixed(1)}`);
    const tops = first.map(
      (cell, i) => Math.floor(cell / 18) * 9 + Math.floor((second[i] as number) / 18),
    );
    // χ² with 80 degrees of freedom exceeds 155.1 with probability 1e-6.
    t.ok(chiSquare(tops, 81) < 155.1, `${what}: tops, χ² = ${chiSquare(tops, 81).toFixed(1)}`);
  }
  t.end();
});
