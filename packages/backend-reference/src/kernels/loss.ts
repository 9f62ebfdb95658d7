// Softmax cross-entropy and its gradient.

import type { Values } from "@fewnorm/tensor";
import { type Kernel, operand } from "../kernel.ts";

export const softmaxCrossEntropy: Kernel<"softmaxCrossEntropy"> = ({ x, shapes, y }) => {
  const [logits, labels] = [operand(x, 0), operand(x, 1)];
  const [rows, classes] = shapes[0] as [number, number];
  for (let n = 0; n < rows; n++) {
    const { max, total } = exponentials(logits, n * classes, classes);
    y[n] = Math.log(total) - (logits[n * classes + labels[n]!]! - max);
  }
};

export const softmaxCrossEntropyGrad: Kernel<"softmaxCrossEntropyGrad"> = ({ x, shapes, y }) => {
  const [logits, labels, g] = [operand(x, 0), operand(x, 1), operand(x, 2)];
  const [rows, classes] = shapes[0] as [number, number];
  for (let n = 0; n < rows; n++) {
    const { max, total } = exponentials(logits, n * classes, classes);
    for (let k = 0; k < classes; k++) {
      const probability = Math.exp(logits[n * classes + k]! - max) / total;
      y[n * classes + k] = g[n]! * (probability - (labels[n] === k ? 1 : 0));
    }
  }
};

/** max = maxₖ logitₖ and total = Σₖ exp(logitₖ − max), which cannot overflow. */
function exponentials(logits: Values, first: number, classes: number) {
  let max = -Infinity;
  for (let k = 0; k < classes; k++) max = Math.max(max, logits[first + k]!);
  let total = 0;
  for (let k = 0; k < classes; k++) total += Math.exp(logits[first + k]! - max);
  return { max, total };
}
