// What plain JavaScript passes where types refuse nothing.

import { createBatches, createDataset, createPrefetch, loadMnist } from "@fewnorm/data";
import { key } from "@fewnorm/tensor";
import test from "tape";
import { smallDataset } from "./small-dataset.ts";

test("options that are none, or are misspelt, are refused", async (t) => {
  const wrong = (options: unknown) => options as never;
  const dataset = smallDataset(8);
  const right = { dataset, batchSize: 4, key: key(0) };
  const batches = (options: unknown) => async () => createBatches(dataset.train, wrong(options));
  const prefetch = (options: unknown) => () => createPrefetch(dataset.train, wrong(options));
  const cases: [() => Promise<unknown>, RegExp][] = [
    [batches(undefined), /createBatches: the options are undefined; .*dataset, batchSize/],
    [batches({ ...right, batch: 4 }), /createBatches: there is no option "batch"/],
    [batches({ ...right, augment: "flip" }), /createBatches, augment: the options are "flip"/],
    [batches({ ...right, augment: { padding: 2 } }), /createBatches, augment: .*"padding"; .*pad/],
    [batches({ ...right, dataset: undefined }), /createBatches: dataset is undefined; give the/],
    [async () => createDataset(wrong(undefined)), /createDataset: the data set is undefined; give/],
    [async () => createDataset(wrong({ ...dataset, classes: 2 })), /classes is 2; give an array/],
    [
      async () => createDataset({ ...dataset, test: wrong(undefined) }),
      /createDataset: test is undefined; give \{ count, images, labels \}/,
    ],
    [
      async () =>
        createDataset({
          ...dataset,
          test: { ...dataset.test, images: wrong(new Int8Array(dataset.test.images)) },
        }),
      /createDataset: test images are of type Int8Array; give a Uint8Array/,
    ],
    [
      async () => createDataset({ ...dataset, shape: wrong("1x4x4") }),
      /createDataset: shape is "1x4x4"; give an array/,
    ],
    [
      async () => createBatches(wrong(dataset), right),
      /createBatches: split has no images; give \{ count, images, labels \}/,
    ],
    [prefetch(undefined), /createPrefetch: the options are undefined/],
    [prefetch({ ...right, workers: 0 }), /createPrefetch: .*"workers"; .*batchSize.*worker/],
    [
      () => loadMnist("folder", wrong("mnist")),
      /loadMnist: the options are "mnist"; .*name, classes/,
    ],
  ];
  for (const [make, message] of cases) {
    const error = await make().catch((reason: unknown) => reason);
    t.match(String(error), message);
    t.ok(error instanceof TypeError);
  }
  const flat = () => createDataset({ ...dataset, shape: wrong([4, 4]) });
  t.throws(flat, /^RangeError: createDataset: shape is \[4,4\]; give three positive whole numbers/);
  t.end();
});
