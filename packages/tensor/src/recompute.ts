// Values of the forward pass that the backward pass computes once more, so that nobody has to hold them in between.

import type { Builder, Tensor } from "./graph.ts";
import type { Node, Primitive } from "./primitives.ts";

/** One pass over what they read: far less work than the convolutions around them. */
const cheap: ReadonlySet<Primitive> = new Set(["normalize", "slice", "pad"]);

/**
 * For a tensor, the one to read in its place in the backward pass: computed once more where it is a map [N, C, H, W]
 * that few and cheap nodes make of what is held anyway, at most `limit` of them, and itself elsewhere (Pleiss et al.,
 * arXiv 1707.06990, do so with batch normalization).
 */
export function recomputing(builder: Builder, limit: number): (tensor: Tensor) => Tensor {
  const counts = new Map<number, number>();
  const again = new Map<number, Tensor>();

  /** How many nodes it takes to compute a value once more; 0 for those that are held. */
  function count(id: number): number {
    const known = counts.get(id);
    if (known !== undefined) return known;
    const { op, shape, inputs } = builder.nodes[id] as Node;
    const worth = cheap.has(op) && shape.length === 4;
    const nodes = worth ? inputs.reduce((sum, input) => sum + count(input), 1) : 0;
    const found = nodes <= limit ? nodes : 0;
    counts.set(id, found);
    return found;
  }

  function read(tensor: Tensor): Tensor {
    const { id } = tensor;
    if (count(id) === 0) return tensor;
    const known = again.get(id);
    if (known !== undefined) return known;
    const { inputs, label } = builder.nodes[id] as Node;
    const operands = inputs.map((input) => read(builder.tensor(input)));
    const made = builder.labelled(label, () => builder.again(tensor, operands));
    again.set(id, made);
    return made;
  }

  return read;
}
