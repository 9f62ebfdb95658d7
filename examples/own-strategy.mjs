// A sampling strategy of one's own: statistics from a horizontal band of every image, an eighth of its height,
// at a height that is drawn for every layer and step. A few steps of training with it follow.
import { fileURLToPath } from "node:url";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { createBatches, loadEmbedded } from "@fewnorm/data";
import { resnet } from "@fewnorm/models";
import { batchNorm } from "@fewnorm/norm";
import { foldIn, key, randomInteger } from "@fewnorm/tensor";
import { createTrainer } from "@fewnorm/train";

/** @type {import("@fewnorm/sampling").Strategy} */
export const strategy = {
  name: "band:1/8",
  virtualRows: 0,
  // How much of a layer's maps is sampled: fixed when the model is built.
  extent: ({ rows, height, width }) => ({ rows, height: Math.ceil(height / 8), width }),
  // Where it begins: asked for every layer and step, with a key of its own.
  origin: (extent, shape, drawn) => ({
    row: 0,
    top: randomInteger(drawn, shape.height - extent.height + 1),
    left: 0,
  }),
};

async function main() {
  const dataset = await loadEmbedded();
  const model = resnet({
    depth: 8,
    norm: batchNorm({ sampling: strategy }),
    classes: dataset.classes.length,
    inputShape: dataset.shape,
  });
  const backend = await createWasmBackend();
  const trainer = await createTrainer(backend, model, { batch: 32 });
  await trainer.initialize(key(1));
  const batches = createBatches(dataset.train, { dataset, batchSize: 32, key: key(2) });
  for (let step = 0; step < 20; step++) {
    const { images, labels } = batches.batch(0, step);
    const drawn = foldIn(key(3), step);
    const { loss } = await trainer.step({ images, labels, learningRate: 0.05, key: drawn });
    console.log(`step ${step + 1}: loss ${loss.toFixed(3)}`);
  }
  await backend.dispose();
}

// The file can be imported for its strategy alone, too.
if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
