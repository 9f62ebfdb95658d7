// Finding out which data set a path holds, and the embedded one.
import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createDataset, loadEmbedded, openDataset } from "@fewnorm/data";
import test from "tape";
import {
  cifarArchive,
  cifarFiles,
  mnistFiles,
  rejects,
  temporaryFolder,
  writeFiles,
} from "./make-files.ts";

test("openDataset: knows each layout", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(join(folder, "cifar"), cifarFiles(1));
  await writeFiles(join(folder, "around", "cifar-10-batches-bin"), cifarFiles(1));
  await writeFiles(join(folder, "mnist"), mnistFiles());
  await writeFiles(join(folder, "fashion"), mnistFiles());
  await writeFiles(folder, { "cifar.tar.gz": await cifarArchive(cifarFiles(1)) });
  for (const [path, name] of [
    ["cifar", "cifar10"],
    ["around", "cifar10"],
    ["cifar.tar.gz", "cifar10"],
    ["mnist", "mnist"],
    ["fashion", "fashion-mnist"],
  ] as const) {
    t.equal((await openDataset(join(folder, path))).name, name, path);
  }
});

test("openDataset: MNIST's names may be those of folders, and of no pipes", async (t) => {
  const folder = await temporaryFolder(t);
  const image = "train-images-idx3-ubyte";
  const { [image]: images = new Uint8Array(), ...others } = mnistFiles();
  // As one that unpacks each file into a folder leaves it.
  await writeFiles(folder, {
    ...others,
    [`${image}/${image}`]: images,
    "train-images.idx3-ubyte": images,
  });
  t.equal((await openDataset(folder)).name, "mnist", "a folder beside the file");
  await rm(join(folder, image), { recursive: true });
  try {
    execFileSync("mkfifo", [join(folder, image)]);
  } catch {
    return t.skip("there are no named pipes here");
  }
  await rejects(t, openDataset(folder), [image, "neither a file nor a folder"], "a pipe");
});

test("openDataset: says what it looked for", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(folder, {
    "x.txt": new TextEncoder().encode("hello"),
    "half/data_batch_1.bin": new Uint8Array(3073),
  });
  await rejects(
    t,
    openDataset(folder),
    [folder, "holds no data set", "data_batch_1.bin", "train-images-idx3-ubyte"],
    "other things",
  );
  await rejects(t, openDataset(join(folder, "x.txt")), ["not a .tar.gz"], "a text file");
  await rejects(t, openDataset(join(folder, "no")), ["does not exist"], "nothing");
  await rejects(t, openDataset(join(folder, "half")), ["data_batch_2.bin", "missing"], "one file");
});

test("loadEmbedded: 2,000 + 500 images, balanced, with their mean and deviation", async (t) => {
  const data = await loadEmbedded();
  t.equal(data.name, "fashion-mnist-subset");
  t.deepEqual(data.shape, [1, 28, 28]);
  t.equal(data.train.count, 2000);
  t.equal(data.test.count, 500);
  t.equal(data.train.images.length, 2000 * 784);
  t.equal(data.test.images.length, 500 * 784);
  t.deepEqual(data.classes, [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ]);
  for (const [split, each] of [
    [data.train, 200],
    [data.test, 50],
  ] as const) {
    const counts = new Array(10).fill(0);
    for (const label of split.labels) counts[label]++;
    t.deepEqual(counts, new Array(10).fill(each), `${each} of each class`);
  }
  // The first labels of the original files.
  t.deepEqual([...data.train.labels.subarray(0, 8)], [9, 0, 0, 3, 0, 2, 7, 2]);
  t.deepEqual([...data.test.labels.subarray(0, 8)], [9, 2, 1, 1, 6, 1, 4, 6]);
  // Sums of whole numbers, a root and a division: equal to a few units in the last place anywhere.
  t.ok(Math.abs((data.mean[0] as number) - 0.28644867697078835) < 1e-15, "mean");
  t.ok(Math.abs((data.deviation[0] as number) - 0.3544346046158554) < 1e-15, "deviation");
});

test("createDataset: refuses parts that do not fit", (t) => {
  const split = { count: 2, images: new Uint8Array(8), labels: Uint8Array.of(0, 1) };
  const parts = {
    name: "x",
    classes: ["a", "b"],
    shape: [1, 2, 2] as const,
    train: split,
    test: split,
  };
  t.deepEqual(createDataset(parts).mean, [0]);
  const bad: [object, RegExp][] = [
    [
      { test: { ...split, images: new Uint8Array(7) } },
      /createDataset: test has 7 bytes .* take 8/,
    ],
    [{ train: { ...split, labels: Uint8Array.of(0) } }, /train has 1 labels for 2 images/],
    [{ train: { ...split, labels: Uint8Array.of(0, 2) } }, /train label 1 is 2, .* 2 classes/],
    [{ test: { ...split, labels: Int32Array.of(-1, 0) } }, /test label 0 is -1, .* 2 classes/],
    [{ test: { ...split, labels: Float32Array.of(0, 0.5) } }, /test label 1 is 0.5, .* 2 classes/],
    [
      { train: { count: 0, images: new Uint8Array(), labels: new Uint8Array() } },
      /train has 0 images/,
    ],
    [{ shape: [1, 2, 0] }, /shape is \[1,2,0\]/],
    [
      { test: { ...split, images: new Float32Array(8).fill(0.5) } },
      /^TypeError: createDataset: test images are of type Float32Array; give a Uint8Array of pixel/,
    ],
  ];
  for (const [change, message] of bad) {
    t.throws(() => createDataset({ ...parts, ...change }), message, String(message));
  }
  t.end();
});
