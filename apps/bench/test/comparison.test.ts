// What a table of peers says about where they computed.

import { key } from "@fewnorm/tensor";
import test from "tape";
import { describeComparison } from "../src/peers/comparison.ts";
import { deviceOf } from "../src/peers/job.ts";

const nothing = { entrants: [], absentees: [], series: [] };
const terms = { subject: "resnet20", norm: "bn", batch: 128, threads: 2, ...nothing };

test("a comparison says whether a processor or a GPU computed, and what it was given in each step", async (t) => {
  const captionOn = (device: "cpu" | "gpu", work: "training" | "layer") =>
    describeComparison(key(1), { ...terms, work, device }).caption.join("\n");
  t.match(captionOn("cpu", "training"), /with 2 threads, each engine in its own process/);
  t.doesNotMatch(captionOn("cpu", "training"), /GPU/);
  const training = captionOn("gpu", "training");
  t.match(training, /on a GPU, each engine in its own process/);
  t.match(training, /brings its images and labels to the GPU and the loss back/);
  t.match(training, /Engines that compute on the processor alone are left out/);
  t.doesNotMatch(training, /threads/);
  t.doesNotMatch(captionOn("gpu", "layer"), /brings/);
});

test("gpu.js has modes that are the processor's", async (t) => {
  const on = (device: "cpu" | "gpu", names: readonly string[]) =>
    t.deepEqual(
      names.filter((name) => deviceOf(name) !== device),
      [],
      device,
    );
  on("gpu", ["gpu", "gpu:webgpu", "gpu:webgl2", "gpu:webgl"]);
  on("cpu", ["wasm", "reference", "gpu:webasm", "gpu:cpu"]);
});
