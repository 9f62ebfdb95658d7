// A check of labels, made before anything is changed.

import type { Graph, Node } from "@fewnorm/tensor";
import { computeIntegers } from "./integers.ts";

type Elements = ReadonlyMap<string, ArrayLike<number>>;

/**
 * Checks that labels are classes; for backends, which call what it returns with each run's int32 feeds, by name.
 * @returns a function that throws RangeError for a label, fed or taken from what is fed, that is not a class of its
 *   cross-entropy
 * @throws RangeError for such a label among constants
 */
export function labelCheck(graph: Graph): (feeds: Elements) => void {
  const losses = graph.nodes.filter(
    ({ op }) => op === "softmaxCrossEntropy" || op === "softmaxCrossEntropyGrad",
  );
  const check = (where: string, feeds: Elements) => {
    if (losses.length === 0) return;
    const integers = computeIntegers(graph, feeds);
    for (const { inputs } of losses) {
      const [logits, labels] = inputs.map((id) => graph.nodes[id]) as [Node, Node];
      const classes = logits.shape[1] as number;
      for (const [i, label] of (integers.get(labels.id) ?? new Int32Array(0)).entries()) {
        if (label >= 0 && label < classes) continue;
        throw new RangeError(
          `${where}: label ${label} at ${i}${sourceOf(labels)} is not one of 0 … ${classes - 1}; check the data`,
        );
      }
    }
  };
  check("compile", new Map());
  return (feeds) => check("run", feeds);
}

const sourceOf = ({ op, attributes }: Node): string =>
  op === "input" ? ` of input "${attributes.name}"` : "";
