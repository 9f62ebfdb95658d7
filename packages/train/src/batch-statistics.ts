// A model with statistics of its batches in place of running ones: what recalibrating and evaluating with them share.

import type { Backend } from "@fewnorm/backend";
import { createBatches, type Dataset, type Split } from "@fewnorm/data";
import { drawAll, type Model } from "@fewnorm/nn";
import type { Graph, HostValue, Key, Shape } from "@fewnorm/tensor";
import { checkCount } from "@fewnorm/tensor";
import { tensorDifferences } from "./tensor-differences.ts";
import { type TraceBatchStatisticsOptions, traceBatchStatistics } from "./trace.ts";
import type { HostTensor } from "./trainer.ts";

/** Options of `evaluateWithBatchStatistics`, and among those of `recalibrate`. */
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

/** Their kinds, for `checkOptions`. */
export const statisticsOptions = {
  dataset: "any",
  batch: "number",
  key: "array",
  signal: "any",
} as const;

/** @throws RangeError for a batch of no images, or of more than the split has. */
export function checkBatch(where: string, batch: number, { count }: Split): void {
  if (count < 1) throw new RangeError(`${where}: there are no images; give some`);
  checkCount(where, "batch", batch);
  if (batch > count) {
    throw new RangeError(
      `${where}: a batch of ${batch} images is more than the ${count} that there are; use fewer`,
    );
  }
}

/** Runs a batch of images, and what the model draws from the key. */
type Run = (images: Float32Array, key: Key) => Promise<Record<string, HostValue>>;

/** Compiles the model in states of its own, for `body` and no longer. */
export async function withModel<T>(
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
export function chosen(
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
