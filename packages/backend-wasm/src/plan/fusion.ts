// What kernels can do in passing: multiply a convolution's results by a number for each channel, add to a gradient,
// multiply a gradient that they sum.

import { type Graph, type Node, type NodeOf, sameShape } from "@fewnorm/tensor";
import { isLeaf } from "./graph.ts";

/** Weights [O, I, kh, kw] times a number for each of the O results (nodes). */
export interface ScaledWeights {
  readonly weights: number;
  /** [O, 1, 1, 1]. */
  readonly scale: number;
}

/** a + b, where a is an input gradient, or a join of some, that nothing else needs. */
export interface SummedGradients {
  /** Input gradient → b, which it adds. */
  readonly addend: ReadonlyMap<number, number>;
  /** Sum → a, which it equals then. */
  readonly sum: ReadonlyMap<number, number>;
}

/** Gradients times a number for each channel (nodes) → the sums of the same gradient that are taken after it. */
export function findScaledSums({ nodes }: Graph): Map<number, NodeOf<"normalizeGradSums">> {
  const sums = new Map<number, NodeOf<"normalizeGradSums">>();
  for (const node of nodes)
    if (node.op === "normalizeGradSums") sums.set(node.inputs[0] as number, node);
  const zero = (id: number | undefined) => {
    const node = nodes[id as number];
    return node?.op === "constant" && node.attributes.values === 0;
  };
  const found = new Map<number, NodeOf<"normalizeGradSums">>();
  for (const { op, id, inputs, attributes } of nodes) {
    if (op !== "normalize" || attributes.relu || attributes.residual) continue;
    if (!zero(inputs[1]) || !zero(inputs[3])) continue;
    const taken = sums.get(inputs[0] as number);
    if (taken !== undefined && taken.id > id && taken.inputs.every((from) => from < id)) {
      found.set(id, taken);
    }
  }
  return found;
}

type Users = readonly (readonly Node[])[];

type Placed = ReadonlyMap<number, { readonly join: number; readonly index: number }>;

/** Products of weights and a scale that only convolutions and their input gradients take, as their weights. */
export function findScaledWeights(
  graph: Graph,
  users: Users,
  ends: ReadonlySet<number>,
): Map<number, ScaledWeights> {
  const found = new Map<number, ScaledWeights>();
  for (const node of graph.nodes) {
    if (node.op !== "multiply" || node.shape.length !== 4 || ends.has(node.id)) continue;
    // Of depthwise filters the input gradient's kernel has no place for factors.
    if (node.shape[1] === 1) continue;
    const takers = users[node.id] as readonly Node[];
    const byConvolutions = takers.every(
      ({ op, inputs }) =>
        (op === "conv2d" || op === "conv2dInputGrad") &&
        inputs.every((from, i) => (from === node.id) === (i === 1)),
    );
    if (!byConvolutions) continue;
    const [a, b] = node.inputs as [number, number];
    const scaled = ([weights, scale]: readonly [number, number]) =>
      sameShape(shapeOf(graph, weights), node.shape) &&
      sameShape(shapeOf(graph, scale), [node.shape[0] as number, 1, 1, 1]);
    const order = (
      [
        [a, b],
        [b, a],
      ] as const
    ).find(scaled);
    if (order !== undefined) found.set(node.id, { weights: order[0], scale: order[1] });
  }
  return found;
}

export function findSummedGradients(
  graph: Graph,
  users: Users,
  ends: ReadonlySet<number>,
  placed: Placed,
): SummedGradients {
  const addend = new Map<number, number>();
  const sum = new Map<number, number>();
  for (const node of graph.nodes) {
    if (node.op !== "add" || placed.has(node.id) || ends.has(node.id)) continue;
    const [a, b] = node.inputs as [number, number];
    for (const [gradient, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!sameShape(shapeOf(graph, gradient), shapeOf(graph, other))) continue;
      const parts = gradientsOf(graph, gradient, placed);
      const alone = [gradient, ...parts].every((id) => users[id]?.length === 1 && !ends.has(id));
      const first = Math.min(...parts);
      if (parts.length === 0 || !alone || !isThere(graph, other, first, placed)) continue;
      for (const part of parts) addend.set(part, other);
      sum.set(node.id, gradient);
      break;
    }
  }
  return { addend, sum };
}

/** The input gradients that a value is made of: itself, or all the parts of a join. */
function gradientsOf({ nodes }: Graph, id: number, placed: Placed): number[] {
  const node = nodes[id] as Node;
  if (node.op === "conv2dInputGrad") return [id];
  if (node.op !== "joinRows") return [];
  const parts = partsOf(node);
  const fit = parts.every(
    (part) => nodes[part]?.op === "conv2dInputGrad" && placed.get(part)?.join === id,
  );
  return fit ? [...parts] : [];
}

/**
 * Whether a value lies in memory before node `first`: also a join all of whose parts are computed in their places,
 * and rows of an earlier value that begin where is known before the step.
 */
function isThere({ nodes }: Graph, id: number, first: number, placed: Placed): boolean {
  if (id < first) return true;
  const node = nodes[id] as Node;
  if (node.op === "rows") {
    const [from, start] = node.inputs as [number, number];
    return from < first && isLeaf(nodes[start] as Node);
  }
  if (node.op !== "joinRows") return false;
  return partsOf(node).every((part) => part < first && placed.get(part)?.join === id);
}

const partsOf = ({ inputs, attributes }: NodeOf<"joinRows">): readonly number[] =>
  inputs.slice(0, attributes.ranges.length);

const shapeOf = ({ nodes }: Graph, id: number) => (nodes[id] as Node).shape;
