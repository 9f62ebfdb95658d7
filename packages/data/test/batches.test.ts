// Batches: their order, their content, the last of an epoch, buffers, and what is refused.
import {
  type BatchesOptions,
  createBatches,
  createDataset,
  createPrefetch,
  loadEmbedded,
} from "@fewnorm/data";
import { foldIn, key, permutation } from "@fewnorm/tensor";
import test from "tape";
import { indicesOf, smallDataset, unnormalized } from "./small-dataset.ts";

test("batches: without a key, the split's order, the last batch padded", (t) => {
  const data = unnormalized(smallDataset(10));
  const batches = createBatches(data.train, { dataset: data, batchSize: 4 });
  t.equal(batches.stepsPerEpoch, 3);
  t.equal(batches.imagesPerEpoch, 10);
  t.deepEqual(batches.shape, [4, 3, 4, 5]);
  const seen: number[] = [];
  for (let step = 0; step < 3; step++) {
    const { images, labels, count } = batches.batch(0, step);
    t.equal(count, step < 2 ? 4 : 2);
    seen.push(...indicesOf(images.subarray(0, count * 60), count));
    t.deepEqual(
      [...labels],
      [0, 1, 2, 3].map((i) => (i < count ? (step * 4 + i) % 10 : 0)),
    );
    t.ok(
      images.subarray(count * 60).every((x) => x === 0),
      "padding is zeros",
    );
  }
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  t.end();
});

test("batches: with a key, an epoch is permutation(foldIn(key, epoch)), the rest dropped", (t) => {
  const data = unnormalized(smallDataset(600));
  const from = key(5);
  const batches = createBatches(data.train, { dataset: data, batchSize: 64, key: from });
  t.equal(batches.stepsPerEpoch, 9);
  t.equal(batches.imagesPerEpoch, 576);
  for (const epoch of [0, 1, 17]) {
    const seen: number[] = [];
    for (let step = 0; step < 9; step++) {
      const { images, labels, count } = batches.batch(epoch, step);
      t.equal(count, 64);
      const indices = indicesOf(images, 64);
      t.deepEqual(
        [...labels],
        indices.map((index) => index % 10),
      );
      seen.push(...indices);
    }
    t.deepEqual(
      seen,
      [...permutation(foldIn(from, epoch), 600).subarray(0, 576)],
      `epoch ${epoch}`,
    );
  }
  t.end();
});

test("batches: pixels become (x/255 − mean)/deviation", (t) => {
  const data = smallDataset(9);
  const { images } = createBatches(data.train, { dataset: data, batchSize: 9 }).batch(0, 0);
  const expected = Float32Array.from(data.train.images, (x, i) => {
    const channel = Math.floor(i / 20) % 3;
    return (x / 255 - (data.mean[channel] as number)) / (data.deviation[channel] as number);
  });
  t.deepEqual(images, expected);
  t.end();
});

test("batches: the whole training split is normalized to mean 0 and deviation 1", async (t) => {
  const data = await loadEmbedded();
  const { images } = createBatches(data.train, { dataset: data, batchSize: 2000 }).batch(0, 0);
  const mean = images.reduce((sum, x) => sum + x, 0) / images.length;
  const square = images.reduce((sum, x) => sum + x * x, 0) / images.length;
  // Each of 1.6 million values below 2.1 in magnitude is rounded to float32: off by at most 1.2e-7, at random.
  t.ok(Math.abs(mean) < 1e-7, `mean ${mean}`);
  t.ok(Math.abs(square - 1) < 2e-7, `mean square ${square}`);
});

test("batches: a constant channel is only centred", (t) => {
  const data = smallDataset(3, [1, 2, 2]);
  data.train.images.fill(51);
  const dataset = { ...data, mean: [0.2], deviation: [0] };
  const { images } = createBatches(data.train, { dataset, batchSize: 3 }).batch(0, 0);
  t.ok(images.every((x) => x === 0));
  const others = new Uint8Array(12).fill(255);
  const bright = { ...data.train, images: others };
  const centred = createBatches(bright, { dataset, batchSize: 3 }).batch(0, 0).images;
  t.ok(
    centred.every((x) => x === Math.fround(1 - 0.2)),
    "by 0.2, and not divided",
  );
  t.end();
});

test("batches: any order of steps gives the same batches, at any batch size the same images", (t) => {
  const data = smallDataset(40);
  const options = { dataset: data, key: key(1), augment: true };
  const inOrder = createBatches(data.train, { ...options, batchSize: 8 });
  const copies = new Map<string, Float32Array>();
  for (let epoch = 0; epoch < 3; epoch++) {
    for (let step = 0; step < 5; step++) {
      copies.set(`${epoch}/${step}`, inOrder.batch(epoch, step).images.slice());
    }
  }
  const other = createBatches(data.train, { ...options, batchSize: 8 });
  const half = createBatches(data.train, { ...options, batchSize: 4 });
  for (const [place, expected] of [...copies].reverse()) {
    const [epoch, step] = place.split("/").map(Number) as [number, number];
    t.deepEqual(other.batch(epoch, step).images, expected, place);
    t.deepEqual(
      half.batch(epoch, 2 * step + 1).images,
      expected.subarray(4 * 60),
      `${place}, half`,
    );
  }
  t.end();
});

test("batches: two buffers in turn, or the caller's", (t) => {
  const data = smallDataset(40);
  const batches = createBatches(data.train, { dataset: data, batchSize: 4, key: key(2) });
  const [a, b, c] = [batches.batch(0, 0), batches.batch(0, 1), batches.batch(0, 2)];
  t.notEqual(a.images, b.images);
  t.equal(a.images, c.images, "the third lies where the first was");
  t.equal(a.labels, c.labels);
  const into = { images: new Float32Array(240).fill(NaN), labels: new Int32Array(4).fill(-1) };
  const d = batches.batch(0, 1, into);
  t.equal(d.images, into.images);
  t.deepEqual(d.images, b.images);
  t.deepEqual(d.labels, b.labels);
  t.throws(
    () => batches.batch(0, 0, { images: new Float32Array(239), labels: new Int32Array(4) }),
    /batch: buffers hold 239 pixel values and 4 labels; a batch takes 240 and 4/,
  );
  t.end();
});

test("batches: a padded batch in a used buffer has nothing of the batch before", (t) => {
  const data = smallDataset(5);
  const batches = createBatches(data.train, { dataset: data, batchSize: 4 });
  const into = { images: new Float32Array(240).fill(9), labels: new Int32Array(4).fill(9) };
  const { images, labels, count } = batches.batch(0, 1, into);
  t.equal(count, 1);
  t.ok(images.subarray(60).every((x) => x === 0));
  t.deepEqual([...labels], [4, 0, 0, 0]);
  t.end();
});

test("batches: labels beyond a byte, whatever array they come in", async (t) => {
  const data = smallDataset(4);
  const numbers = [999, 0, 256, 65];
  for (const kind of [Uint16Array, Int32Array]) {
    const labels = kind.from(numbers);
    const classes = Array.from({ length: 1000 }, (_, i) => `class ${i}`);
    const dataset = createDataset({ ...data, classes, train: { ...data.train, labels } });
    const options = { dataset, batchSize: 4 };
    t.deepEqual([...createBatches(dataset.train, options).batch(0, 0).labels], numbers, kind.name);
    const prefetch = await createPrefetch(dataset.train, options);
    t.equal(prefetch.mode, "worker");
    t.deepEqual([...(await prefetch.batch(0, 0)).labels], numbers, "by way of a worker");
    await prefetch.dispose();
  }
});

test("batches: lastBatch overrules what the key suggests", (t) => {
  const data = smallDataset(10);
  const options = { dataset: data, batchSize: 4 };
  const padded = createBatches(data.train, { ...options, key: key(1), lastBatch: "pad" });
  t.equal(padded.stepsPerEpoch, 3);
  t.equal(padded.batch(0, 2).count, 2);
  t.equal(createBatches(data.train, { ...options, lastBatch: "drop" }).stepsPerEpoch, 2);
  const large = createBatches(data.train, { dataset: data, batchSize: 100 });
  t.equal(large.stepsPerEpoch, 1, "a batch larger than the split is padded in evaluation");
  t.equal(large.batch(0, 0).count, 10);
  t.end();
});

test("batches: refuses what cannot work, before anything is made", (t) => {
  const data = smallDataset(10);
  const cases: [Partial<BatchesOptions>, RegExp][] = [
    [{ batchSize: 0 }, /batchSize is 0; give a positive whole number/],
    [{ batchSize: 2.5 }, /batchSize is 2.5/],
    [{ batchSize: NaN }, /batchSize is NaN/],
    [{ batchSize: 11, key: key(1) }, /batchSize is 11, .* 10 images .* at most 10/],
    [{ augment: true }, /there is none; give key/],
    [{ augment: { pad: 5 }, key: key(1) }, /pad is 5; .* from 0 to 4/],
    [{ augment: { pad: 0.5 }, key: key(1) }, /pad is 0.5/],
    [{ dataset: { ...data, mean: [0] } }, /1 means and 3 deviations for 3 channels/],
    [{ dataset: { ...data, deviation: [1, 1, NaN] } }, /finite numbers/],
    [{ dataset: { ...data, deviation: [1, -1, 1] } }, /no negative deviation/],
    [{ dataset: { ...data, shape: [3, 4, 4] } }, /10 images of shape \[3,4,4\] take 480/],
  ];
  for (const [change, message] of cases) {
    t.throws(
      () => createBatches(data.train, { dataset: data, batchSize: 4, ...change }),
      (error: unknown) => error instanceof RangeError && message.test(error.message),
      String(message),
    );
  }
  const batches = createBatches(data.train, { dataset: data, batchSize: 4, key: key(1) });
  for (const [epoch, step] of [
    [0, 2],
    [0, -1],
    [0, 0.5],
    [-1, 0],
    [2 ** 32, 0],
    [NaN, 0],
  ] as const) {
    t.throws(() => batches.batch(epoch, step), RangeError, `epoch ${epoch}, step ${step}`);
  }
  t.end();
});
