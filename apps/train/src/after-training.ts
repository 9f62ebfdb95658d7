// What comes after the training on request: running statistics anew, and a test without them.

import type { Dataset } from "@fewnorm/data";
import type { Model } from "@fewnorm/nn";
import { foldIn, key } from "@fewnorm/tensor";
import { evaluate, evaluateWithBatchStatistics, recalibrate, stateDictOf } from "@fewnorm/train";
import type { Config } from "./config.ts";
import type { Prepared } from "./prepare.ts";
import type { Summary } from "./summary.ts";

/** @throws Error for requests that the norm or the data set cannot meet. */
export function checkAfterTraining(
  { recalibrate: batches, batchStatistics, norm, batch }: Config,
  calibrated: Model | undefined,
  { train, test }: Dataset,
): void {
  if (batches !== undefined && calibrated === undefined) {
    throw new RangeError(
      `train: ${norm} has no running statistics to recalibrate; leave out --recalibrate`,
    );
  }
  if (batches !== undefined && batches * batch > train.count) {
    throw new RangeError(
      `train: --recalibrate ${batches} takes ${batches * batch} images, but there are ${train.count}; give at most ${Math.floor(train.count / batch)}`,
    );
  }
  if (batchStatistics && calibrated === undefined) {
    throw new RangeError(
      `train: ${norm} uses no batch statistics to test with; leave out --batch-statistics`,
    );
  }
  if (batchStatistics && batch > test.count) {
    throw new RangeError(
      `train: --batch-statistics tests ${batch} images at a time, but there are ${test.count}; use a smaller --batch`,
    );
  }
}

/** Does as `config` says. The trainer keeps the recomputed statistics. Undefined when `signal` came before the end. */
export async function afterTraining(
  config: Config,
  { backend, trainer, dataset, calibrated }: Prepared,
  signal: AbortSignal,
): Promise<Pick<Summary, "recalibrated" | "batchStatistics"> | undefined> {
  const { recalibrate: batches, batchStatistics, batch, seed } = config;
  if (calibrated === undefined || (batches === undefined && !batchStatistics)) return {};
  const tensors = await stateDictOf(trainer);
  const options = { dataset, batch, key: foldIn(key(seed), 3), signal };
  const test = batchStatistics
    ? await evaluateWithBatchStatistics(backend, calibrated, tensors, dataset.test, options)
    : undefined;
  if (batchStatistics && test === undefined) return undefined;
  if (batches === undefined) return { batchStatistics: test };
  const all = { ...options, batches };
  const statistics = await recalibrate(backend, calibrated, tensors, dataset.train, all);
  if (statistics === undefined) return undefined;
  await trainer.write(statistics);
  const evaluation = await evaluate(trainer, dataset.test, { dataset, signal });
  return evaluation && { batchStatistics: test, recalibrated: { ...evaluation, batches } };
}
