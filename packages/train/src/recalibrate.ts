// Running statistics anew, from real data.

import type { Backend } from "@fewnorm/backend";
import type { Split } from "@fewnorm/data";
import type { Model } from "@fewnorm/nn";
import {
  checkCount,
  checkOptions,
  elementsOf,
  foldIn,
  type Graph,
  type HostValue,
  key as keyOf,
  permutation,
} from "@fewnorm/tensor";
import {
  type BatchStatisticsOptions,
  checkBatch,
  chosen,
  statisticsOptions,
  withModel,
} from "./batch-statistics.ts";
import { checkSignal } from "./checks.ts";
import type { NoSignal } from "./evaluate.ts";
import type { HostTensor } from "./trainer.ts";
import { turn } from "./turn.ts";

/** Options of {@link recalibrate}. */
export interface RecalibrateOptions extends BatchStatisticsOptions {
  /** Batches to average over; default all that the images fill. */
  readonly batches?: number;
}

/**
 * Running statistics from real data: runs batches of `split`, not augmented, through the model as it is, each
 * normalized by statistics of its own, and returns the mean of those statistics over the batches, as
 * `torch.optim.swa_utils.update_bn` does; dropout drops, as there. Good after a training whose statistics came
 * from few images or a small part of the maps, and for averaged weights; not for virtual images, whose statistics
 * the network was trained to be normalized by.
 * @param model the trained network with `norm.calibration()` in place of its norm: statistics of whole batches
 * @param tensors the trained states by name; more than the model's do no harm
 * @returns the new statistics by name, for `trainer.write`; undefined when `signal` was aborted first
 * @throws Error for a model without running statistics or with its own norm, and for states that are missing or
 *   misshapen; RangeError for more images than there are.
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
  checkSignal("recalibrate", signal);
  checkBatch("recalibrate", batch, split);
  const { batches = Math.floor(split.count / batch) } = options;
  checkCount("recalibrate", "batches", batches);
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
      const { images } = chosen(split, order.subarray(i * batch, (i + 1) * batch), options.dataset);
      const fetched = await run(images, foldIn(key, i + 1));
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

/** Whether the next value of a running statistic depends on the one before. */
function followsItself({ nodes, states, outputs }: Graph, name: string): boolean {
  const dependent = new Set([states[name]]);
  for (const { id, inputs } of nodes) {
    if (inputs.some((input) => dependent.has(input))) dependent.add(id);
  }
  return dependent.has(outputs[`statistic:${name}`]);
}
