// Loss and accuracy over a whole split, with running statistics.

import { createBatches, type Dataset, type Split } from "@fewnorm/data";
import { checkOptions } from "@fewnorm/tensor";
import { checkSignal } from "./checks.ts";
import { addScores, checkLabels, noScores, type Scores, scoreLogits } from "./scores.ts";
import type { Trainer } from "./trainer.ts";
import { turn } from "./turn.ts";

/** What an evaluation found. */
export interface Evaluation {
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Share of images whose largest logit is their label's, 0 … 1. */
  readonly accuracy: number;
  /** Images that were evaluated. */
  readonly count: number;
}

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** What the images are standardized with: the data set's mean and deviation. */
  readonly dataset: Pick<Dataset, "shape" | "mean" | "deviation">;
  /** Ends the evaluation after the batch that is running. */
  readonly signal?: AbortSignal | undefined;
}

/** What takes a signal, and is given none: it gets to its end. */
export interface NoSignal {
  readonly signal?: undefined;
}

/** What of a trainer an evaluation needs. */
type Evaluated = Pick<Trainer, "model" | "evaluationBatch" | "logits">;

/**
 * Evaluates the model on every image of `split`. The last batch is filled up, and its filling not
 * counted. Returns undefined when `signal` was aborted first.
 * @throws RangeError for a label that the model has no class for.
 */
export function evaluate(
  trainer: Evaluated,
  split: Split,
  options: EvaluateOptions & NoSignal,
): Promise<Evaluation>;
export function evaluate(
  trainer: Evaluated,
  split: Split,
  options: EvaluateOptions,
): Promise<Evaluation | undefined>;
export async function evaluate(
  trainer: Evaluated,
  split: Split,
  options: EvaluateOptions,
): Promise<Evaluation | undefined> {
  checkOptions("evaluate", options, { dataset: "any", signal: "any" });
  const { dataset, signal } = options;
  checkSignal("evaluate", signal);
  const batches = createBatches(split, {
    dataset,
    batchSize: trainer.evaluationBatch,
    lastBatch: "pad",
  });
  checkLabels("evaluate", split, trainer.model);
  let scores = noScores;
  for (let step = 0; step < batches.stepsPerEpoch; step++) {
    await turn();
    if (signal?.aborted) return undefined;
    const { images, labels, count } = batches.batch(0, step);
    const logits = await trainer.logits(images);
    scores = addScores(scores, scoreLogits(logits, labels, trainer.model.classes, count));
  }
  return evaluationOf(scores);
}

/** Means over the images that were scored. */
export const evaluationOf = ({ count, loss, correct }: Scores): Evaluation => ({
  loss: loss / count,
  accuracy: correct / count,
  count,
});
