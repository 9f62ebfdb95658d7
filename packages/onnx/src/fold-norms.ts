// Normalization layers that follow a convolution directly, as graphs of models without folding have them (a VGG's
// convolution has a bias, a DenseNet's is followed by a layer of its own), taken into that convolution.

import {
  add,
  createBuilder,
  type Graph,
  multiply,
  type Node,
  type NodeOf,
  type Primitive,
  reshape,
  subtract,
  type Tensor,
} from "@fewnorm/tensor";
import { knownNodes } from "./known-values.ts";

/**
 * The graph with act((x ∗ w + b − mean)·scale + shift + residual) written as act(x ∗ (w·scale) + b' + residual),
 * b' = (b − mean)·scale + shift, wherever nothing else reads the convolution and the rest does not depend on the
 * images.
 */
export function foldNorms(graph: Graph): Graph {
  const known = knownNodes(graph);
  const readers = graph.nodes.map(() => 0);
  for (const id of [
    ...graph.nodes.flatMap(({ inputs }) => inputs),
    ...Object.values(graph.outputs),
  ]) {
    readers[id] = (readers[id] as number) + 1;
  }
  const builder = createBuilder();
  const made: Tensor[] = [];
  const at = (id: number | undefined): Tensor => made[id as number] as Tensor;

  const record = (node: Node): Tensor => {
    if (node.op === "input") {
      const { name, shape, dtype } = node.attributes;
      return builder.input(name, shape, dtype);
    }
    if (node.op === "state") return builder.state(node.attributes.name, node.attributes.shape);
    const convolution = node.op === "normalize" ? foldable(node) : undefined;
    if (node.op === "normalize" && convolution !== undefined) return folded(node, convolution);
    return builder.append<Primitive>(node.op, node.inputs.map(at), node.attributes);
  };

  /** The convolution that a normalization can be taken into. */
  function foldable({ inputs }: NodeOf<"normalize">): NodeOf<"conv2d"> | undefined {
    const [x = 0, ...statistics] = inputs;
    const node = graph.nodes[x] as Node;
    if (node.op !== "conv2d" || readers[x] !== 1) return undefined;
    const { relu, residual, bias } = node.attributes;
    const constant = [node.inputs[1], bias ? node.inputs[2] : undefined, ...statistics.slice(0, 3)];
    const fits = constant.every((id) => id === undefined || known[id]);
    return fits && !relu && !residual ? node : undefined;
  }

  function folded({ inputs, attributes }: NodeOf<"normalize">, node: NodeOf<"conv2d">): Tensor {
    const [, mean, scale, shift] = inputs.map(at) as [Tensor, Tensor, Tensor, Tensor];
    const [x, weight, bias] = node.inputs.map(at) as [Tensor, Tensor, Tensor | undefined];
    const offset =
      bias === undefined
        ? subtract(shift, multiply(scale, mean))
        : add(multiply(subtract(bias, mean), scale), shift);
    const scaled = multiply(weight, reshape(scale, [scale.shape[0] ?? 1, 1, 1, 1]));
    const residual = attributes.residual ? [at(inputs.at(-1))] : [];
    return builder.append("conv2d", [x, scaled, offset, ...residual], {
      ...node.attributes,
      ...attributes,
      bias: true,
    });
  }

  for (const node of graph.nodes) made.push(builder.labelled(node.label, () => record(node)));
  for (const [name, id] of Object.entries(graph.outputs)) builder.output(name, at(id));
  return builder.finish();
}
