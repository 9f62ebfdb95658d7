// Softmax cross-entropy and its gradient.

import type { Lowered } from "../lowered.ts";
import { type Lowering, loop, often, once, operand, pointwise, spread } from "./lowering.ts";

/** [2, N]: maxₖ logitₖ and Σₖ exp(logitₖ − max), which cannot overflow. */
function exponentials(logits: Lowered): Lowered {
  const [n = 1, classes = 1] = logits.shape;
  return loop([2, n], [often(logits)], (e, [which = "0", row = "0"]) => {
    const max = e.variable(e.read(logits, [row, "0"]));
    e.loop(classes, (k) => e.statement(`${max} = Math.max(${max}, ${e.read(logits, [row, k])});`));
    const total = e.variable(`${which} < 0.5 ? ${max} : 0`);
    e.when(`${which} > 0.5`, () =>
      e.loop(classes, (k) =>
        e.statement(`${total} += Math.exp(${e.read(logits, [row, k])} - ${max});`),
      ),
    );
    return total;
  });
}

export const softmaxCrossEntropy: Lowering<"softmaxCrossEntropy"> = ({ node, x }) => {
  const [logits, labels] = [operand(x, 0), operand(x, 1)];
  const sums = exponentials(logits);
  return pointwise(node.shape, [spread(sums), spread(logits), once(labels)], (e, [n = "0"]) => {
    const label = e.read(labels, [n]);
    const right = e.read(logits, [n, label]);
    return e.name(`Math.log(${e.read(sums, ["1", n])}) - (${right} - ${e.read(sums, ["0", n])})`);
  });
};

export const softmaxCrossEntropyGrad: Lowering<"softmaxCrossEntropyGrad"> = ({ node, x }) => {
  const [logits, labels, g] = [operand(x, 0), operand(x, 1), operand(x, 2)];
  const sums = exponentials(logits);
  return pointwise(
    node.shape,
    [spread(sums), once(logits), spread(labels), spread(g)],
    (e, [n = "0", k = "0"]) => {
      const exponential = `Math.exp(${e.read(logits, [n, k])} - ${e.read(sums, ["0", n])})`;
      const probability = e.name(`${exponential} / ${e.read(sums, ["1", n])}`);
      const wanted = e.name(`${e.read(labels, [n])} === ${k} ? 1 : 0`);
      return e.name(`${e.read(g, [n])} * (${probability} - ${wanted})`);
    },
  );
};
