// What the planner must know of a graph beforehand: when values are last used, which parts can be computed in the
// place where a join needs them, which updates can be computed in the state's own memory, what is part of another
// kernel.

import { type Graph, type Node, type NodeOf, type Primitive, sizeOf } from "@fewnorm/tensor";
import {
  findAddedProducts,
  findAddedRows,
  findMaskedGradients,
  findPaddedSlices,
  findPatchedGradients,
  findScaledSums,
  findScaledWeights,
  findSummedGradients,
  type MaskedGradients,
  type PatchedGradients,
  type Place,
  type ScaledSums,
  type ScaledWeights,
  type SummedGradients,
} from "./fusion.ts";
import { elementwise, isLeaf, usersOf, views } from "./graph.ts";

export interface Analysis {
  /** The last node that uses a value or a view of it; Infinity when it must outlive the run. */
  readonly lastUse: readonly number[];
  /** The nodes that take each value. */
  readonly users: readonly (readonly Node[])[];
  /** What must outlive the run: outputs and new values of states. */
  readonly ends: ReadonlySet<number>;
  /** Parts that are computed straight into a join's memory: part → join and position. */
  readonly placed: ReadonlyMap<number, Place>;
  /** Nodes computed straight into a state's memory: node → state's name. */
  readonly direct: ReadonlyMap<number, string>;
  /** Products that are not computed, since the convolutions that take them multiply themselves. */
  readonly scaled: ReadonlyMap<number, ScaledWeights>;
  /** Scaled gradients and sums of the same, by the earlier of both, which computes the other as well. */
  readonly scaledSums: ReadonlyMap<number, ScaledSums>;
  /** Sums that their input gradients compute. */
  readonly summed: SummedGradients;
  /** Sums with a window's input gradient that are one input gradient. */
  readonly patched: PatchedGradients;
  /** Sums and differences that compute the product of two other values in passing. */
  readonly products: ReadonlyMap<number, NodeOf<"multiply">>;
  /** Nodes that are not computed by themselves, but with the only node that takes them. */
  readonly inside: ReadonlySet<number>;
  /** Gradients of ReLUs that input gradients compute. */
  readonly masked: MaskedGradients;
  /** What no run changes, and little of it: states without update, constants, and what is computed from these. */
  readonly lasting: ReadonlySet<number>;
}

/** What lasts has memory of its own, and more than this for one value is too much. */
export const LASTING_BYTES = 1024 * 1024;

/** Primitives that can write their rows to mapped places. */
const mappable: ReadonlySet<Primitive> = new Set([
  ...(["add", "subtract", "multiply", "divide", "sqrt", "relu", "reluGrad"] as const),
  ...(["conv2d", "conv2dInputGrad", "normalize", "normalizeInputGrad"] as const),
  ...(["addRows", "crop", "addCrop", "softmaxCrossEntropy", "softmaxCrossEntropyGrad"] as const),
]);

export function analyse(graph: Graph): Analysis {
  const { nodes } = graph;
  const ends = new Set([...Object.values(graph.outputs), ...Object.values(graph.updates)]);
  const users = usersOf(graph);
  const placed = new Map<number, Place>();
  for (const node of nodes) {
    if (node.op !== "joinRows") continue;
    const parts = node.attributes.ranges.length;
    for (let index = 0; index < parts; index++) {
      const part = nodes[node.inputs[index] as number] as Node;
      const start = nodes[node.inputs[parts + index] as number] as Node;
      if (!mappable.has(part.op) || ends.has(part.id) || placed.has(part.id)) continue;
      if (isLeaf(start)) placed.set(part.id, { join: node.id, index });
    }
  }
  const scaled = findScaledWeights(graph, users, ends);
  const summed = findSummedGradients(graph, users, ends, placed);
  const patched = findPatchedGradients(graph, users, ends, placed, scaled, summed);
  const masked = findMaskedGradients(graph, users, ends, placed, summed, patched);
  const kept = new Set(masked.moved.values());
  for (const id of masked.passed) {
    const place = placed.get(id);
    if (place !== undefined && !kept.has(place)) placed.delete(id);
  }
  for (const [id, place] of masked.moved) placed.set(id, place);
  const scaledSums = findScaledSums(graph);
  const lasting = findLasting(graph, ends, placed);
  const otherwise = [placed, scaled, summed.sum, patched.sums, patched.inside, lasting];
  const products = findAddedProducts(graph, users, ends, (id) =>
    otherwise.some((known) => known.has(id)),
  );
  const inside = new Set([
    ...patched.inside,
    ...findAddedRows(graph, users, ends, scaledSums),
    ...findPaddedSlices(graph, users, ends),
    ...[...products.values()].map(({ id }) => id),
  ]);
  const lastUse = findLastUses(graph, ends, { inside, scaled, scaledSums });
  return {
    lastUse,
    users,
    ends,
    placed,
    direct: findDirectUpdates(graph, lastUse, placed, products),
    scaled,
    scaledSums,
    summed,
    patched,
    products,
    inside,
    masked,
    lasting,
  };
}

/** Not parts of joins: which rows they fill hangs on where a run lets these begin. */
function findLasting(
  { nodes, updates }: Graph,
  ends: ReadonlySet<number>,
  placed: ReadonlyMap<number, Place>,
): Set<number> {
  const lasting = new Set<number>();
  for (const { id, op, inputs, attributes, shape } of nodes) {
    const computed = elementwise.has(op) || op === "reshape" || op === "broadcast";
    if (op === "constant" || (op === "state" && !Object.hasOwn(updates, attributes.name))) {
      lasting.add(id);
    } else if (computed && !ends.has(id) && 4 * sizeOf(shape) <= LASTING_BYTES) {
      if (!placed.has(id) && inputs.every((from) => lasting.has(from))) lasting.add(id);
    }
  }
  return lasting;
}

/** Whether what a node takes is read where the node's value is used, not where the node stands. */
export const readsLater = (
  { id, op }: Node,
  { inside, scaled }: Pick<Analysis, "inside" | "scaled">,
): boolean => views.has(op) || inside.has(id) || scaled.has(id);

/** What a node takes is used where the node is computed: with its users, or with another one before. */
function findLastUses(
  { nodes }: Graph,
  ends: ReadonlySet<number>,
  fused: Pick<Analysis, "inside" | "scaled" | "scaledSums">,
): number[] {
  const earlier = new Map<number, number>();
  for (const [id, { product, sums }] of fused.scaledSums)
    earlier.set(Math.max(product.id, sums.id), id);
  const lastUse = nodes.map(({ id }) => (ends.has(id) ? Number.POSITIVE_INFINITY : id));
  for (let id = nodes.length - 1; id >= 0; id--) {
    const node = nodes[id] as Node;
    const last = readsLater(node, fused) ? (lastUse[id] as number) : (earlier.get(id) ?? id);
    for (const from of node.inputs) lastUse[from] = Math.max(lastUse[from] as number, last);
  }
  return lastUse;
}

/** An update can be computed in place when nothing reads the old value afterwards, or out of order meanwhile. */
function findDirectUpdates(
  graph: Graph,
  lastUse: readonly number[],
  placed: ReadonlyMap<number, unknown>,
  products: Analysis["products"],
): Map<number, string> {
  const direct = new Map<number, string>();
  const outputs = new Set(Object.values(graph.outputs));
  const uses = new Map<number, number>();
  for (const id of Object.values(graph.updates)) uses.set(id, (uses.get(id) ?? 0) + 1);
  for (const [name, id] of Object.entries(graph.updates)) {
    const node = graph.nodes[id] as Node;
    const state = graph.states[name];
    if (!elementwise.has(node.op) || outputs.has(id) || placed.has(id) || uses.get(id) !== 1) {
      continue;
    }
    if (state !== undefined && (lastUse[state] as number) > id) continue;
    const read = operandsOf(node, products);
    if (read.some((from) => readsRowsOf(graph, from, name))) continue;
    direct.set(id, name);
  }
  return direct;
}

/** What is read where a node is computed: its inputs, and those of a product that it computes in passing. */
export function operandsOf(
  { id, inputs }: Node,
  products: Analysis["products"],
): readonly number[] {
  const product = products.get(id);
  if (product === undefined) return inputs;
  return [...inputs.filter((from) => from !== product.id), ...product.inputs];
}

/** Whether a value is a view of the state that has its elements in another order. */
function readsRowsOf({ nodes }: Graph, id: number, state: string): boolean {
  let node = nodes[id] as Node;
  let moved = false;
  while (node.op === "reshape" || node.op === "broadcast" || node.op === "rows") {
    moved ||= node.op === "rows";
    node = nodes[node.inputs[0] as number] as Node;
  }
  return moved && node.op === "state" && node.attributes.name === state;
}
