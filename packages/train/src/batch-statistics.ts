// What a model computes with statistics of its batches: running statistics anew, and evaluation without them.

import type { Backend } from "@fewnorm/backend";
import { createBatches, type Dataset, type Split } from "@fewnorm/data";
import { drawAll, type Model } from "@fewnorm/nn";
import {
  checkOptions,
  elementsOf,
  foldIn,
  type Graph,
  type HostValue,
  type Key,
  key as keyOf,
  permutation,
  type Shape,
} from "@fewnorm/tensor";
import type { Evaluation, NoSignal } from "./evaluate.ts";
import { addScores, checkLabels, noScores, scoreLogits } from "./scores.ts";
import { tensorDifferences } from "./tensor-differences.ts";
import { type TraceBatchStatisticsOptions, traceBatchStatistics } from "./trace.ts";
import type { HostTensor } from "./trainer.ts";
import { turn } from "./turn.ts";

/** Options of {@link evaluateWithBatchStatistics}. */
export interface BatchStatisticsOptions {
  /** What the images are standardized with: the data set's mean and deviation. */
  readonly dataset: Pick<Dataset, "shape" | "mean" | "deviation">;
  /** Images whose statistics are taken together; default 128, or all if there are fewer. */
  readonly batch?: number;
  /** Chooses the images, and what the model draws. Default `key(0)`. */
  readonly key?: Key;
  /** Ends after the batch that is running. */
  readonly signal?: AbortSignal | undefined;
}

const statisticsOptions = { dataset: "any", batch: "number", key: "array", signal: "any" } as const;

/** Options of {@link recalibrate}. */
export interface RecalibrateOptions extends BatchStatisticsOptions {
  /** Batches to average over; default all that the images fill. */
  readonly batches?: number;
}

/**
 * Running statistics from real data: runs batches of `split`, not augmented, through the model as it is, each
 * normalized by statistics of its own, and returns the mean of those statistics over the batches, as
 * `torch.optim.swa_utils.update_bn` does; dropout drops, as there. Good after a training whose statistics came from few images or a
 * small part of the maps, and for averaged weights; not for virtual images, whose statistics the network was
 * trained to be normalized by.
 * @param model the trained network with `norm.calibration()` in place of its norm: statistics of whole batches
 * @param tensors the trained states by name; more than the model's do no harm
 * @returns the new statistics by name, for `trainer.write`; undefined when `signal` was aborted first
 * @throws Error for a model without running statistics or with its own norm, and for states that are missing or misshapen;
 *   RangeError for more images than there are.
 */
export function recalibrate(
  backend: Backend,
  model: Model,
  tensors: ReadonlyMap<string, HostTensor>,
  split: Split,
  options: RecalibrateOptions & NoSignal,
): Promise<Map<string, HostTensor>>;
export function recalibrate(
  backend: Backend,
  model: Model,
  tensors: ReadonlyMap<string, HostTensor>,
  split: Split,
  options: RecalibrateOptions,
): Promise<Map<string, HostTensor> | undefined>;
export async function recalibrate(
  backend: Backend,
  model: Model,
  tensors: ReadonlyMap<string, HostTensor>,
  split: Split,
  options: RecalibrateOptions,
): Promise<Map<string, HostTensor> | undefined> {
  checkOptions("recalibrate", options, { ...statisticsOptions, batches: "number" });
  const { batch = Math.min(128, split.count), signal, key = keyOf(0) } = options;
  checkBatchOf("recalibrate", batch, split);
  const { batches = Math.floor(split.count / batch) } = options;
  if (!(Number.isSafeInteger(batches) && batches >= 1)) {
    throw new RangeError(`recalibrate: batches is ${batches}; give a whole number >= 1`);
  }
  if (batches * batch > split.count) {
    throw new RangeError(
      `recalibrate: ${batches} batches of ${batch} images are more than the ${split.count} that there are; use fewer`,
    );
  }
  const tracing = { batch, dropping: true };
  return withModel(backend, model, tensors, tracing, async (run, statistics, graph) => {
    if (statistics.size === 0) {
      throw new Error(
        `recalibrate: ${model.name} has no running statistics; there is nothing to do`,
      );
    }
    const kept = [...statistics.keys()].find((name) => followsItself(graph, name));
    if (kept !== undefined) {
      throw new Error(
        `recalibrate: "${kept}" of ${model.name} keeps a share of its old value; build the model with norm.calibration() in place of its norm`,
      );
    }
    const sums = new Map([...statistics].map(([name, shape]) => [name, { shape, sum: [0] }]));
    const order = permutation(foldIn(key, 0), split.count);
    for (let i = 0; i < batches; i++) {
      await turn();
      if (signal?.aborted) return undefined;
      const images = chosen(split, order.subarray(i * batch, (i + 1) * batch), options.dataset);
      const fetched = await run(images.images, foldIn(key, i + 1));
      for (const [name, entry] of sums) {
        const values = elementsOf(name, fetched[`statistic:${name}`] as HostValue, entry.shape);
        entry.sum = Array.from(values, (value, k) => value + (entry.sum[k] ?? 0));
      }
    }
    return new Map(
      [...sums].map(([name, { shape, sum }]) => {
        const values = Float32Array.from(sum, (value) => value / batches);
        return [name, { shape, values }] as const;
      }),
    );
  });
}

/**
 * Evaluates on every image of `split`, normalizing each batch by statistics of its own as in training: what a
 * network can do where its running statistics are wrong. Nothing is dropped. Images come in batches of mixed classes; a last
 * batch that is not full is filled up with images that have been counted already.
 * @param model as it was trained, or with `norm.calibration()` in place of its norm for statistics of whole batches
 * @param tensors the trained states by name; more than the model's do no harm
 * @returns undefined when `signal` was aborted first
 * @throws as {@link recalibrate}, but running statistics are not needed; RangeError for a label that the model has no
 *   class for.
 */
export function evaluateWithBatchStatistics(
  backend: Backend,
  model: Model,
  tensors: ReadonlyMap<string, HostTensor>,
  split: Split,
  options: BatchStatisticsOptions & NoSignal,
): Promise<Evaluation>;
export function evaluateWithBatchStatistics(
  backend: Backend,
  model: Model,
  tensors: ReadonlyMap<string, HostTensor>,
  split: Split,
  options: BatchStatisticsOptions,
): Promise<Evaluation | undefined>;
export async function evaluateWithBatchStatistics(
  backend: Backend,
  model: Model,
  tensors: ReadonlyMap<string, HostTensor>,
  split: Split,
  options: BatchStatisticsOptions,
): Promise<Evaluation | undefined> {
  checkOptions("evaluateWithBatchStatistics", options, statisticsOptions);
  const { batch = Math.min(128, split.count), signal, key = keyOf(0) } = options;
  checkBatchOf("evaluateWithBatchStatistics", batch, split);
  checkLabels("evaluateWithBatchStatistics", split, model);
  return withModel(backend, model, tensors, { batch, dropping: false }, async (run) => {
    const order = permutation(foldIn(key, 0), split.count);
    let scores = noScores;
    for (let i = 0; i * batch < split.count; i++) {
      await turn();
      if (signal?.aborted) return undefined;
      const fresh = order.subarray(i * batch, (i + 1) * batch);
      const filling = order.subarray(0, batch - fresh.length);
      const { images, labels } = chosen(split, [...fresh, ...filling], options.dataset);
      const fetched = await run(images, foldIn(key, i + 1));
      const logits = elementsOf("logits", fetched.logits as HostValue, [batch, model.classes]);
      scores = addScores(scores, scoreLogits(logits, labels, model.classes, fresh.length));
    }
    const { count, loss, correct } = scores;
    return { loss: loss / count, accuracy: correct / count, count };
  });
}

function checkBatchOf(where: string, batch: number, { count }: Split): void {
  if (count < 1) throw new RangeError(`${where}: there are no images; give some`);
  if (!(Number.isSafeInteger(batch) && batch >= 1)) {
    throw new RangeError(`${where}: batch is ${batch}; give a whole number >= 1`);
  }
  if (batch > count) {
    throw new RangeError(
      `${where}: a batch of ${batch} images is more than the ${count} that there are; use fewer`,
    );
  }
}

type Run = (images: Float32Array, key: Key) => Promise<Record<string, HostValue>>;

/** Whether the next value of a running statistic depends on the one before. */
function followsItself({ nodes, states, outputs }: Graph, name: string): boolean {
  const dependent = new Set([states[name]]);
  for (const { id, inputs } of nodes) {
    if (inputs.some((input) => dependent.has(input))) dependent.add(id);
  }
  return dependent.has(outputs[`statistic:${name}`]);
}

/** Compiles the model in states of its own, for `body` and no longer. */
async function withModel<T>(
  backend: Backend,
  model: Model,
  tensors: ReadonlyMap<string, HostTensor>,
  tracing: TraceBatchStatisticsOptions,
  body: (run: Run, statistics: ReadonlyMap<string, Shape>, graph: Graph) => Promise<T>,
): Promise<T> {
  const { graph, states, draws } = traceBatchStatistics(model, tracing);
  const names = new Set(states.map(({ name }) => name));
  const given = new Map([...tensors].filter(([name]) => names.has(name)));
  const differences = tensorDifferences(given, states);
  if (differences.length > 0) {
    throw new Error(
      `batch statistics: these states are not ${model.name}'s (${differences.join("; ")}); build the model that they are of`,
    );
  }
  const updated = states.filter(({ name }) => `statistic:${name}` in graph.outputs);
  const state = await backend.createState(states);
  try {
    for (const [name, { values }] of given) await state.write(name, values);
    const executable = await backend.compile(graph, state);
    try {
      const run: Run = (images, key) => executable.run({ images, ...drawAll(draws, key, graph) });
      return await body(run, new Map(updated.map(({ name, shape }) => [name, shape])), graph);
    } finally {
      await executable.dispose();
    }
  } finally {
    await state.dispose();
  }
}

/** The images of these numbers, standardized. */
function chosen(
  split: Split,
  indices: ArrayLike<number>,
  dataset: BatchStatisticsOptions["dataset"],
): { images: Float32Array; labels: Int32Array } {
  const [c, h, w] = dataset.shape;
  const size = c * h * w;
  const count = indices.length;
  const images = new Uint8Array(count * size);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const index = indices[i] as number;
    images.set(split.images.subarray(index * size, (index + 1) * size), i * size);
    labels[i] = split.labels[index] as number;
  }
  return createBatches({ count, images, labels }, { dataset, batchSize: count }).batch(0, 0);
}
