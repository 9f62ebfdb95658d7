// What each primitive costs: floating-point operations, and bytes that it must read and write.

import type { Graph } from "./graph.ts";
import type { Node, NodeOf, Primitive } from "./primitives.ts";
import { type Shape, sizeOf } from "./shape.ts";

/** Cost of a node or a graph. A multiply-add counts as two flops; bytes are those of float32 operands. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

type FlopsRule<P extends Primitive> = (node: NodeOf<P>, operands: readonly Shape[]) => number;

const free = () => 0;
const perElement =
  (flops: number) =>
  (node: { readonly shape: Shape }): number =>
    flops * sizeOf(node.shape);
const perOperandElement =
  (flops: number) =>
  (_: unknown, operands: readonly Shape[]): number =>
    flops * sizeOf(operands[0] ?? []);

/** 2 · N · O · oh · ow · (C/groups) · kh · kw, from the shapes of w and of the convolution's result. */
function convolutionFlops(w: Shape, result: Shape): number {
  const [, i = 1, kh = 1, kw = 1] = w;
  return 2 * sizeOf(result) * i * kh * kw;
}

const flopsRules: { readonly [P in Primitive]: FlopsRule<P> } = {
  input: free,
  state: free,
  constant: free,
  add: perElement(1),
  subtract: perElement(1),
  multiply: perElement(1),
  divide: perElement(1),
  sqrt: perElement(1),
  relu: perElement(1),
  reluGrad: perElement(1),
  reshape: free,
  broadcast: free,
  sum: perOperandElement(1),
  slice: free,
  pad: free,
  matmul: (node, [a = []]) =>
    2 * sizeOf(node.shape) * ((node.attributes.transposeA ? a[0] : a[1]) ?? 1),
  conv2d: (node, [, w = []]) =>
    convolutionFlops(w, node.shape) +
    sizeOf(node.shape) *
      (Number(node.attributes.bias) +
        Number(node.attributes.residual) +
        Number(node.attributes.relu)),
  conv2dInputGrad: (_, [g = [], w = []]) => convolutionFlops(w, g),
  conv2dWeightGrad: (node, [, g = []]) => convolutionFlops(node.shape, g),
  maxPool: ({ shape, attributes: { kernel } }) => sizeOf(shape) * kernel[0] * kernel[1],
  maxPoolGrad: ({ attributes: { kernel } }, [g = []]) => sizeOf(g) * kernel[0] * kernel[1],
  moments: perOperandElement(4),
  normalize: (node) =>
    sizeOf(node.shape) * (3 + Number(node.attributes.residual) + Number(node.attributes.relu)),
  normalizeGradSums: perOperandElement(4),
  normalizeInputGrad: perElement(5),
  rows: free,
  joinRows: free,
  addRows: (_, [, part = []]) => sizeOf(part),
  crop: free,
  addCrop: (_, [, part = []]) => sizeOf(part),
  softmaxCrossEntropy: perOperandElement(4),
  softmaxCrossEntropyGrad: perOperandElement(5),
};

/** Primitives whose result is another view of memory that exists, where the backend allows it. */
const views: ReadonlySet<Primitive> = new Set([
  "input",
  "state",
  "constant",
  "reshape",
  "rows",
  "joinRows",
]);

/** Elements that are read and written. Of what is larger than a part, no more than the part is touched. */
function movedBy({ op, shape }: Node, operands: readonly Shape[]): number {
  if (op === "crop" || op === "slice") return 2 * sizeOf(shape);
  if (op === "addCrop" || op === "addRows") return 3 * sizeOf(operands[1] ?? []);
  return [...operands, shape].reduce((size, one) => size + sizeOf(one), 0);
}

/** The cost of one node of a graph. */
export function nodeCost(graph: Pick<Graph, "nodes">, node: Node): Cost {
  const operands = node.inputs.map((id) => (graph.nodes[id] as Node).shape);
  const rule = flopsRules[node.op] as FlopsRule<Primitive>;
  const flops = rule(node as NodeOf<Primitive>, operands);
  const moved = movedBy(node, operands);
  return { flops, bytes: views.has(node.op) ? 0 : 4 * moved };
}

/** The cost of a whole graph. */
export function graphCost(graph: Graph): Cost {
  return graph.nodes
    .map((node) => nodeCost(graph, node))
    .reduce((a, b) => ({ flops: a.flops + b.flops, bytes: a.bytes + b.bytes }), {
      flops: 0,
      bytes: 0,
    });
}
