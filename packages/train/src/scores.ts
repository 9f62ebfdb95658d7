// Loss and accuracy of logits, on the host.

import { type Split, wrongLabel } from "@fewnorm/data";
import type { Model } from "@fewnorm/nn";

/** Sums over the images that were scored; divide by `count` for means. */
export interface Scores {
  readonly count: number;
  /** Σ −log softmax(logits)[label]. */
  readonly loss: number;
  /** Images whose largest logit is their label's. */
  readonly correct: number;
}

export const noScores: Scores = { count: 0, loss: 0, correct: 0 };

/** @throws RangeError for a label that the model has no class for. */
export function checkLabels(
  where: string,
  { labels }: Pick<Split, "labels">,
  { name, classes }: Pick<Model, "name" | "classes">,
): void {
  const image = wrongLabel(labels, classes);
  if (image < 0) return;
  throw new RangeError(
    `${where}: image ${image} has label ${labels[image]}, but ${name} has ${classes} classes, 0 ... ${classes - 1}; use the data set that it was made for`,
  );
}

/**
 * Scores the first `count` rows of `logits` [N, classes]; what follows is padding. Of equal largest
 * logits the first counts; a row with NaN counts as wrong.
 */
export function scoreLogits(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  count: number,
): Scores {
  let loss = 0;
  let correct = 0;
  for (let i = 0; i < count; i++) {
    const base = i * classes;
    const label = labels[i] as number;
    let largest = 0;
    for (let k = 1; k < classes; k++) {
      if ((logits[base + k] as number) > (logits[base + largest] as number)) largest = k;
    }
    const top = logits[base + largest] as number;
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += Math.exp((logits[base + k] as number) - top);
    const own = Math.log(sum) - ((logits[base + label] as number) - top);
    loss += own;
    if (largest === label && !Number.isNaN(own)) correct++;
  }
  return { count, loss, correct };
}

export function addScores(a: Scores, b: Scores): Scores {
  return { count: a.count + b.count, loss: a.loss + b.loss, correct: a.correct + b.correct };
}
