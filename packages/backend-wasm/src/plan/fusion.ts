// What kernels can do in passing: multiply a convolution's results by a number for each channel, add to a gradient,
// mask it by a ReLU's results, take two gradients as one, multiply a gradient that they sum, add to rows, add a
// product.

import {
  type Graph,
  type Node,
  type NodeOf,
  type RowRange,
  sameRange,
  sameShape,
} from "@fewnorm/tensor";
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

/**
 * An input gradient, plus at a window that of the same weights, unscaled. Both are linear in what they take, so this
 * is one input gradient: of g + p/scale, where p is added at the place of the window's results.
 */
export interface PatchedGradient {
  readonly gradient: NodeOf<"conv2dInputGrad">;
  readonly window: NodeOf<"conv2dInputGrad">;
}

export interface PatchedGradients {
  /** By the sum's node. */
  readonly sums: ReadonlyMap<number, PatchedGradient>;
  /** What the sums are made of, which is not computed by itself. */
  readonly inside: ReadonlySet<number>;
}

/** A whole input gradient that only a ReLU's gradient takes, which its convolution computes then. */
export interface MaskedGradients {
  /** Input gradient → the ReLU's results, of all rows. */
  readonly mask: ReadonlyMap<number, number>;
  /** The ReLU's gradients, which pass on what they take. */
  readonly passed: ReadonlySet<number>;
  /** Joins of such → the whole input gradient, which they equal. */
  readonly joined: ReadonlyMap<number, number>;
  /** Input gradients that lie in the place of the ReLU's gradient, which is part of a join. */
  readonly moved: ReadonlyMap<number, Place>;
}

/** A gradient times a number for each channel, and sums of the same gradient: computed together. */
export interface ScaledSums {
  readonly product: NodeOf<"normalize">;
  readonly sums: NodeOf<"normalizeGradSums">;
}

/** By the earlier node of each pair, whose place in the order both take. */
export function findScaledSums({ nodes }: Graph): Map<number, ScaledSums> {
  const sums = new Map<number, NodeOf<"normalizeGradSums">>();
  for (const node of nodes)
    if (node.op === "normalizeGradSums") sums.set(node.inputs[0] as number, node);
  const zero = (id: number | undefined) => {
    const node = nodes[id as number];
    return node?.op === "constant" && node.attributes.values === 0;
  };
  const found = new Map<number, ScaledSums>();
  for (const node of nodes) {
    if (node.op !== "normalize" || node.attributes.relu || node.attributes.residual) continue;
    if (!zero(node.inputs[1]) || !zero(node.inputs[3])) continue;
    const taken = sums.get(node.inputs[0] as number);
    if (taken === undefined) continue;
    const first = Math.min(node.id, taken.id);
    const known = (id: number) => id < first || isLeaf(nodes[id] as Node);
    if ([...node.inputs, ...taken.inputs].every(known)) {
      found.set(first, { product: node, sums: taken });
      sums.delete(node.inputs[0] as number);
    }
  }
  return found;
}

/** Normalized rows that are only added to rows of a larger value, and not computed together with sums. */
export function findAddedRows(
  { nodes }: Graph,
  users: Users,
  ends: ReadonlySet<number>,
  scaledSums: ReadonlyMap<number, ScaledSums>,
): Set<number> {
  const found = new Set<number>();
  const together = new Set([...scaledSums.values()].map(({ product }) => product.id));
  for (const node of nodes) {
    if (node.op !== "addRows") continue;
    const part = nodes[node.inputs[1] as number] as Node;
    if (part.op !== "normalize" || part.attributes.relu || part.attributes.residual) continue;
    if (together.has(part.id) || part.id === node.inputs[0] || ends.has(part.id)) continue;
    if (users[part.id]?.length === 1) found.add(part.id);
  }
  return found;
}

/** Slices that are only padded, as a shortcut's are that takes every other pixel. */
export function findPaddedSlices(
  { nodes }: Graph,
  users: Users,
  ends: ReadonlySet<number>,
): number[] {
  return nodes.flatMap(({ op, inputs: [id = 0] }) => {
    const alone = op === "pad" && nodes[id]?.op === "slice" && users[id]?.length === 1;
    return alone && !ends.has(id) ? [id] : [];
  });
}

/**
 * Products that are only added to something, or subtracted from it: sum or difference → product. Not of nodes that
 * `left` names: they are computed otherwise.
 */
export function findAddedProducts(
  { nodes }: Graph,
  users: Users,
  ends: ReadonlySet<number>,
  left: (id: number) => boolean,
): Map<number, NodeOf<"multiply">> {
  const found = new Map<number, NodeOf<"multiply">>();
  for (const node of nodes) {
    if ((node.op !== "add" && node.op !== "subtract") || left(node.id)) continue;
    const [first, second] = node.inputs as [number, number];
    if (first === second) continue;
    for (const id of node.op === "add" ? [first, second] : [second]) {
      const product = nodes[id] as Node;
      if (product.op !== "multiply" || left(id) || ends.has(id)) continue;
      if (users[id]?.length !== 1 || !sameShape(product.shape, node.shape)) continue;
      found.set(node.id, product);
    }
  }
  return found;
}

type Users = readonly (readonly Node[])[];

/** The part of a join that a node is. */
export interface Place {
  readonly join: number;
  readonly index: number;
}

type Placed = ReadonlyMap<number, Place>;

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

export function findPatchedGradients(
  graph: Graph,
  users: Users,
  ends: ReadonlySet<number>,
  placed: Placed,
  scaled: ReadonlyMap<number, ScaledWeights>,
  summed: SummedGradients,
): PatchedGradients {
  const sums = new Map<number, PatchedGradient>();
  const inside = new Set<number>();
  for (const node of graph.nodes) {
    if (node.op !== "addCrop") continue;
    const [base, part] = node.inputs as [number, number];
    const gradient = graph.nodes[summed.sum.get(base) ?? base] as Node;
    const window = graph.nodes[part] as Node;
    if (gradient.op !== "conv2dInputGrad" || window.op !== "conv2dInputGrad") continue;
    const alone = (id: number) => users[id]?.length === 1 && !ends.has(id) && !placed.has(id);
    const nodes = [base, gradient.id, part];
    const product = scaled.get(gradient.inputs[1] as number);
    if (!nodes.every(alone) || product?.weights !== window.inputs[1]) continue;
    if (!isWindowOf(graph, node, gradient, window)) continue;
    sums.set(node.id, { gradient, window });
    for (const id of nodes) inside.add(id);
  }
  return { sums, inside };
}

/** Whether a window's gradient is that of some of the results alone, with the input that they depend on. */
function isWindowOf(
  graph: Graph,
  { attributes: place }: NodeOf<"addCrop">,
  { attributes }: NodeOf<"conv2dInputGrad">,
  window: NodeOf<"conv2dInputGrad">,
): boolean {
  const { stride, padding, groups } = attributes;
  const [, , kh = 1, kw = 1] = shapeOf(graph, window.inputs[1] as number);
  const [, , height = 1, width = 1] = shapeOf(graph, window.inputs[0] as number);
  return (
    groups === window.attributes.groups &&
    sameShape(stride, window.attributes.stride) &&
    sameShape([0, 0], window.attributes.padding) &&
    sameShape(stride, place.stride) &&
    sameShape(padding, [0 - place.offset[0], 0 - place.offset[1]]) &&
    place.height === (height - 1) * stride[0] + kh &&
    place.width === (width - 1) * stride[1] + kw
  );
}

export function findMaskedGradients(
  graph: Graph,
  users: Users,
  ends: ReadonlySet<number>,
  placed: Placed,
  summed: SummedGradients,
  patched: PatchedGradients,
): MaskedGradients {
  const { nodes } = graph;
  const mask = new Map<number, number>();
  const passed = new Set<number>();
  const joined = new Map<number, number>();
  const moved = new Map<number, Place>();
  for (const { id } of nodes) {
    const gradient = patched.sums.get(id)?.gradient.id ?? summed.sum.get(id) ?? id;
    const parts = gradientsOf(graph, gradient, placed);
    if (parts.length === 0 || ends.has(id)) continue;
    const taken = users[id] as readonly Node[];
    const found = maskOf(graph, id, taken) ?? maskOfRows(graph, users, taken, placed);
    if (found === undefined || parts.some((part) => part < found.results)) continue;
    const joins = new Set(found.by.map((one) => placed.get(one)?.join));
    const [join, ...others] = joins;
    // Their results lie in the gradient's memory, so they can be parts of no join but one that equals it, or in which
    // the gradient itself can lie.
    if (others.length > 0) continue;
    if (join !== undefined) {
      const same = found.by.every((one) => keepsPlace(nodes, one, placed.get(one)));
      const [only, ...more] = found.by.map((one) => nodes[one] as Node);
      const whole = more.length === 0 && only?.inputs[0] === id;
      if (same && isOf(nodes, join, found.by)) joined.set(join, id);
      else if (whole && gradient === parts[0] && !patched.sums.has(id)) {
        moved.set(gradient, placed.get(only.id) as Place);
      } else continue;
    }
    for (const part of parts) mask.set(part, found.results);
    for (const one of found.by) passed.add(one);
  }
  return { mask, passed, joined, moved };
}

interface Mask {
  readonly results: number;
  readonly by: readonly number[];
}

/** The mask of a gradient that is taken whole, by one ReLU's gradient. */
function maskOf(
  { nodes }: Graph,
  gradient: number,
  [user, ...others]: readonly Node[],
): Mask | undefined {
  if (user?.op !== "reluGrad" || others.length > 0) return undefined;
  const [g, results] = user.inputs as [number, number];
  const whole = g === gradient && results !== gradient && nodes[results]?.op !== "rows";
  return whole ? { results, by: [user.id] } : undefined;
}

/** The mask of a gradient whose rows are taken by the gradients of ReLUs whose results are joined as the same rows. */
function maskOfRows(
  { nodes }: Graph,
  users: Users,
  taken: readonly Node[],
  placed: Placed,
): Mask | undefined {
  const by: number[] = [];
  const joins = new Set<number>();
  const parts = new Set<number>();
  for (const rows of taken) {
    const [user, ...others] = users[rows.id] as readonly Node[];
    if (user?.op !== "reluGrad" || others.length > 0) return undefined;
    const [g, results] = user.inputs as [number, number];
    const place = placed.get(results);
    if (g !== rows.id || place === undefined || !keepsPlace(nodes, user.id, place))
      return undefined;
    by.push(user.id);
    joins.add(place.join);
    parts.add(place.index);
  }
  const [join, ...more] = joins;
  if (join === undefined || more.length > 0) return undefined;
  const { ranges } = (nodes[join] as NodeOf<"joinRows">).attributes;
  return parts.size === ranges.length ? { results: join, by } : undefined;
}

/** Whether what a ReLU's gradient takes are the rows that a part of a join fills. */
function keepsPlace(nodes: readonly Node[], id: number, place: Place | undefined): boolean {
  const rows = nodes[nodes[id]?.inputs[0] as number] as Node;
  if (place === undefined || rows.op !== "rows") return false;
  const { inputs, attributes } = nodes[place.join] as NodeOf<"joinRows">;
  return (
    inputs[attributes.ranges.length + place.index] === rows.inputs[1] &&
    attributes.indices[place.index] === rows.attributes.index &&
    sameRange(attributes.ranges[place.index] as RowRange, rows.attributes.range)
  );
}

/** Whether a join's parts are these nodes. */
function isOf(nodes: readonly Node[], join: number, parts: readonly number[]): boolean {
  const all = partsOf(nodes[join] as NodeOf<"joinRows">);
  return all.length === parts.length && all.every((part) => parts.includes(part));
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
