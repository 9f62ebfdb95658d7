// Batch normalization as evaluation graphs write it, found again: with running statistics it is an affine map
// that nn's norms have multiplied into the weight and the bias of the convolution before it.

import type { Graph, Node, Primitive } from "@fewnorm/tensor";
import { beforeReshapes } from "./known-values.ts";

/** Node ids of y = γ·(x − mean)/√(variance + ε) + β. */
export interface BatchNorm {
  readonly gamma: number;
  readonly beta: number;
  readonly mean: number;
  readonly variance: number;
  readonly epsilon: number;
}

/** The inputs of a node, if it is of this kind. */
function inputsOf(graph: Graph, id: number | undefined, op: Primitive): readonly number[] {
  const node = id === undefined ? undefined : graph.nodes[id];
  return node?.op === op ? node.inputs : [];
}

function numberOf(graph: Graph, id: number | undefined): number | undefined {
  const node = id === undefined ? undefined : graph.nodes[id];
  return node?.op === "constant" && typeof node.attributes.values === "number"
    ? node.attributes.values
    : undefined;
}

/** scale = γ·(1/√(variance + ε)), if that is what the node computes. */
export function scaleOf(
  graph: Graph,
  id: number,
): Pick<BatchNorm, "gamma" | "variance" | "epsilon"> | undefined {
  const [gamma, inverse] = inputsOf(graph, id, "multiply");
  const [one, root] = inputsOf(graph, inverse, "divide");
  const [square] = inputsOf(graph, root, "sqrt");
  const [variance, added] = inputsOf(graph, square, "add");
  const epsilon = numberOf(graph, added);
  if (numberOf(graph, one) !== 1 || epsilon === undefined) return undefined;
  return { gamma: gamma as number, variance: variance as number, epsilon };
}

/**
 * The batch norm that a convolution has taken in: its weight is weight·scale and its bias β − scale·mean, or
 * β − scale·(mean − bias) where it had one.
 * @returns it, and weight and bias without it, or undefined where there is none.
 */
export function foldedNorm(
  graph: Graph,
  weight: number,
  bias: number | undefined,
):
  | { readonly weight: number; readonly bias: number | undefined; readonly norm: BatchNorm }
  | undefined {
  const [plain, reshaped] = inputsOf(graph, weight, "multiply");
  const [beta, shift] = inputsOf(graph, bias, "subtract");
  const [scale, distance] = inputsOf(graph, shift, "multiply");
  const [mean = distance, own] = inputsOf(graph, distance, "subtract");
  if (plain === undefined || reshaped === undefined || scale === undefined) return undefined;
  const known = scaleOf(graph, scale);
  if (known === undefined || beforeReshapes(graph, reshaped).id !== scale) return undefined;
  // [O, 1, 1, 1]: as [1, I, 1, 1] it would scale what comes in.
  const [outputs = 1] = (graph.nodes[weight] as Node).shape;
  if ((graph.nodes[reshaped] as Node).shape[0] !== outputs) return undefined;
  return {
    weight: plain,
    bias: own,
    norm: { ...known, beta: beta as number, mean: mean as number },
  };
}
