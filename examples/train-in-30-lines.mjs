// Trains a small ResNet on the images that come with fewnorm. Every normalization takes its statistics from
// 16 images of the batch. Run it with `node examples/train-in-30-lines.mjs`, or with a number of epochs behind.
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { loadEmbedded } from "@fewnorm/data";
import { resnet } from "@fewnorm/models";
import { batchNorm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { cosine, createTrainer, stepsPerEpoch, train } from "@fewnorm/train";

const epochs = Number(process.argv[2] ?? 5);
if (!Number.isInteger(epochs) || epochs < 1) {
  console.error(`epochs is ${process.argv[2]}; give a whole number >= 1`);
  process.exit(1);
}
const dataset = await loadEmbedded();
const model = resnet({
  depth: 8,
  norm: batchNorm({ sampling: batchSampling({ images: 16 }) }),
  classes: dataset.classes.length,
  inputShape: dataset.shape,
});
const backend = await createWasmBackend();
const trainer = await createTrainer(backend, model, { batch: 64 });
const steps = epochs * stepsPerEpoch(dataset, 64);
const schedule = cosine({ base: 0.1, steps, warmUp: Math.floor(steps / 5) });

for await (const event of train(trainer, dataset, { epochs, schedule, seed: 1 })) {
  if (event.type === "epoch") console.log(`epoch ${event.epoch}: loss ${event.loss.toFixed(3)}`);
  if (event.type === "evaluation") console.log(`test accuracy ${event.accuracy.toFixed(3)}`);
}
await backend.dispose();
