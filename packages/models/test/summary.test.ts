// Summaries, against counts made by hand.

import { lenet, summarize, vgg } from "@fewnorm/models";
import { batchNorm, noNorm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import test from "tape";

test("LeNet without normalization, layer by layer", (t) => {
  const { layers, parameters, flops, activationBytes } = summarize(lenet({ norm: noNorm() }));
  const biasAndRelu = 2;
  const expected = [
    ["conv1", [6, 28, 28], 156, 6 * 28 * 28 * (2 * 25 + biasAndRelu)],
    ["max pool", [6, 14, 14], 0, 6 * 14 * 14 * 4],
    ["conv2", [16, 10, 10], 2416, 16 * 100 * (2 * 6 * 25 + biasAndRelu)],
    ["max pool", [16, 5, 5], 0, 16 * 25 * 4],
    ["fc1", [120], 48_120, 120 * (2 * 400 + biasAndRelu)],
    ["fc2", [84], 10_164, 84 * (2 * 120 + biasAndRelu)],
    ["fc3", [10], 850, 10 * (2 * 84 + 1)],
  ] as const;
  t.equal(parameters, 61_706);
  t.equal(
    flops,
    expected.reduce((sum, [, , , count]) => sum + count, 0),
  );
  for (const [i, [name, shape, count, ofLayer]] of expected.entries()) {
    const layer = layers[i];
    t.equal(layer?.name, name);
    t.deepEqual(layer?.shape, shape, `${name}: shape`);
    t.equal(layer?.parameters, count, `${name}: parameters`);
    t.equal(layer?.flops, ofLayer, `${name}: flops`);
  }
  // Each convolution's and dense layer's result, what is pooled from it, and the logits.
  const kept = 6 * 28 * 28 + 6 * 14 * 14 + 16 * 100 + 400 + 120 + 84 + 10;
  t.equal(activationBytes, 4 * kept);
  t.end();
});

test("what is kept of each image: folded norms keep what no norm keeps, and their samples", (t) => {
  const kept = (norm: ReturnType<typeof batchNorm>) =>
    summarize(lenet({ norm }), { batch: 32 }).activationBytes;
  const [none, bn] = [kept(noNorm()), kept(batchNorm())];
  const bs = kept(batchNorm({ sampling: batchSampling({ images: 4 }), folded: true }));
  const vdn = kept(batchNorm({ sampling: virtualDataset({ images: 4 }), folded: true }));
  // What is normalized: the results of two convolutions and two dense layers.
  const normalized = 4 * (6 * 28 * 28 + 16 * 100 + 120 + 84);
  t.equal(bn, none + normalized);
  t.equal(bs, none + (4 / 32) * normalized);
  t.equal(vdn, (36 / 32) * none + (4 / 32) * normalized);
  t.end();
});

test("dropout's masks are not of the image, but what they multiply is kept", (t) => {
  const options = { norm: batchNorm(), depth: 11, width: 4, inputShape: [3, 32, 32] } as const;
  const { layers } = summarize(vgg({ ...options, hidden: 16, classes: 10 }));
  t.deepEqual(layers.at(-1)?.owners, ["classifier.6"]);
  t.equal(layers.at(-1)?.parameters, 170);
  t.end();
});
