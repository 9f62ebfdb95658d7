// A check of the labels that are fed, made before anything is changed.

import type { Graph } from "@fewnorm/tensor";

/** @returns a function that throws RangeError for a label that is not a class of its cross-entropy. */
export function labelCheck(graph: Graph): (feeds: ReadonlyMap<string, ArrayLike<number>>) => void {
  const classes = new Map<string, number>();
  for (const node of graph.nodes) {
    if (node.op !== "softmaxCrossEntropy" && node.op !== "softmaxCrossEntropyGrad") continue;
    const [logits, labels] = node.inputs.map((id) => graph.nodes[id]);
    const count = logits?.shape[1] ?? 1;
    if (labels?.op !== "input") continue;
    const { name } = labels.attributes;
    classes.set(name, Math.min(classes.get(name) ?? count, count));
  }
  return (feeds) => {
    for (const [name, count] of classes) {
      const labels = feeds.get(name) ?? [];
      for (let i = 0; i < labels.length; i++) {
        const label = labels[i] as number;
        if (label >= 0 && label < count) continue;
        throw new RangeError(
          `run: label ${label} at ${i} of input "${name}" is not one of 0 … ${count - 1}; check the data`,
        );
      }
    }
  };
}
