// One method's training: its network, how it takes a step, and how it is tested.

import type { Backend } from "@fewnorm/backend";
import { createBatches, type Dataset } from "@fewnorm/data";
import { parseNorm } from "@fewnorm/presets";
import { foldIn, type Key, key as keyOf } from "@fewnorm/tensor";
import { createTrainer, evaluate, sgd } from "@fewnorm/train";
import { createMismatchMeter } from "./mismatch.ts";
import { network } from "./network.ts";
import { type Settings, unsplit } from "./settings.ts";

/** What the network takes an image for. */
export interface Prediction {
  /** Class number. */
  readonly label: number;
  /** Its share of the softmax, 0 … 1. */
  readonly probability: number;
}

/** What a test found. */
export interface Tested {
  /** Mean cross-entropy over the test images, and the share that is classified rightly. */
  readonly loss: number;
  readonly accuracy: number;
  /** Of the first test images. */
  readonly predictions: readonly Prediction[];
  /** See MismatchMeter; one for each of the contestant's layers. */
  readonly mismatch: readonly number[];
}

/** A method that takes part in a comparison. Owns memory on the backend until `dispose`. */
export interface Contestant {
  /** Bytes that a step keeps beside the weights: the activations. */
  readonly memoryBytes: number;
  /** The layers whose mismatch tests tell. */
  readonly layers: readonly string[];
  /** One step; returns the loss before it. */
  step(images: Float32Array, labels: Int32Array, key: Key): Promise<number>;
  test(): Promise<Tested>;
  dispose(): Promise<void>;
}

/** Test images whose predictions are shown. */
export const shownImages = 10;
/** Images of a test's step. */
const testBatch = 100;
/** How many batches the trained and the tested network are compared on, at most. */
const comparisons = 4;

/** @throws Error when the method cannot work with these settings, in a line that says why. */
export async function createContestant(
  backend: Backend,
  dataset: Dataset,
  method: string,
  settings: Settings,
): Promise<Contestant> {
  const split = !method.endsWith(unsplit);
  const name = split ? method : method.slice(0, -unsplit.length);
  const norm = parseNorm(name);
  const { batch, learningRate, seed } = settings;
  const micro = split ? settings.micro : batch;
  const { shape: inputShape, classes } = dataset;
  const options = { norm, inputShape, classes: classes.length };
  const trainer = await createTrainer(backend, network(options), {
    batch,
    micro,
    evaluationBatch: testBatch,
    optimizer: sgd(),
  });
  const together = takesFromTheBatch(name) ? batch : micro;
  const batches = createBatches(dataset.train, {
    dataset,
    batchSize: together,
    lastBatch: "drop",
  });
  const meter = await createMismatchMeter(
    backend,
    (see) => network({ ...options, see }),
    together,
    Array.from({ length: Math.min(comparisons, batches.stepsPerEpoch) }, (_, i) =>
      batches.batch(0, i).images.slice(),
    ),
  ).catch(async (error) => {
    await trainer.dispose();
    throw error;
  });
  await trainer.initialize(foldIn(keyOf(seed), 0));
  const { images: shown } = createBatches(dataset.test, { dataset, batchSize: testBatch }).batch(
    0,
    0,
  );

  return {
    memoryBytes: trainer.workspaceBytes,
    layers: meter.layers,
    async step(images, labels, key) {
      const { loss } = await trainer.step({ images, labels, learningRate, key });
      return loss;
    },
    async test() {
      const { loss, accuracy } = await evaluate(trainer, dataset.test, { dataset });
      const logits = await trainer.logits(shown);
      return {
        loss,
        accuracy,
        predictions: Array.from({ length: shownImages }, (_, i) =>
          predictionOf(logits, i, classes.length),
        ),
        mismatch: await meter.measure(await trainer.read(), foldIn(keyOf(seed), 3)),
      };
    },
    async dispose() {
      await meter.dispose();
      await trainer.dispose();
    },
  };
}

/** Whether real images of the whole gradient batch make the statistics, and not each micro-batch its own. */
const takesFromTheBatch = (norm: string): boolean => /\b[bn]s:/.test(norm);

function predictionOf(logits: ArrayLike<number>, row: number, classes: number): Prediction {
  const own = Array.from({ length: classes }, (_, k) => logits[row * classes + k] as number);
  const top = Math.max(...own);
  const sum = own.reduce((total, logit) => total + Math.exp(logit - top), 0);
  return { label: Math.max(0, own.indexOf(top)), probability: 1 / sum };
}
