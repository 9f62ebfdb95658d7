// Loss and accuracy over a whole split, with statistics of its batches instead of running ones.

import type { Backend } from "@fewnorm/backend";
import type { Split } from "@fewnorm/data";
import type { Model } from "@fewnorm/nn";
import {
  checkOptions,
  elementsOf,
  foldIn,
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
import { type Evaluation, evaluationOf, type NoSignal } from "./evaluate.ts";
import { addScores, checkLabels, noScores, scoreLogits } from "./scores.ts";
import type { HostTensor } from "./trainer.ts";
import { turn } from "./turn.ts";

/**
 * Evaluates on every image of `split`, normalizing each batch by statistics of its own as in training: what a
 * network can do where its running statistics are wrong. Nothing is dropped. Images come in batches of mixed
 * classes; a last batch that is not full is filled up with images that have been counted already.
 * @param model as it was trained, or with `norm.calibration()` in place of its norm for statistics of whole batches
 * @param tensors the trained states by name; more than the model's do no harm
 * @returns undefined when `signal` was aborted first
 * @throws as `recalibrate`, but running statistics are not needed; RangeError for a label that the model has no
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
  checkSignal("evaluateWithBatchStatistics", signal);
  checkBatch("evaluateWithBatchStatistics", batch, split);
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
    return evaluationOf(scores);
  });
}
