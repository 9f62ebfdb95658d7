// From a graph to a program: every node by its rule, then results and updates.

import type { Graph, Node, Shape } from "@fewnorm/tensor";
import { analyse } from "./analysis.ts";
import { copyRowMajor, copyValue, needsTransposition } from "./elementwise.ts";
import { isLeaf } from "./graph.ts";
import {
  bytesOf,
  createLowering,
  type FixedMemory,
  type Lowering,
  type Value,
} from "./lowering.ts";
import type { Place, Program } from "./program.ts";
import { rules } from "./rules/index.ts";
import type { Rule } from "./rules/rule.ts";

/** A program with the places where the host writes feeds and reads results, row-major. */
export interface LoweredGraph {
  readonly program: Program;
  readonly feeds: ReadonlyMap<string, Place>;
  readonly outputs: ReadonlyMap<string, { readonly place: Place; readonly shape: Shape }>;
}

export function lower(graph: Graph, threads: number, fixed: FixedMemory): LoweredGraph {
  const analysis = analyse(graph);
  const lowering = createLowering(graph, analysis, threads, fixed);
  const { low } = lowering;
  const lowerNode = (node: Node) => {
    // It may have been computed together with an earlier one, or will be with a later one.
    if (low.value(node.id) !== undefined || analysis.inside.has(node.id)) return;
    const rule = rules[node.op] as Rule<typeof node.op>;
    low.define(node.id, rule(low, node as never));
  };
  // Leaves first: starts of row ranges are asked for before their place in the order.
  for (const node of graph.nodes) if (isLeaf(node)) lowerNode(node);
  for (const node of graph.nodes) if (!isLeaf(node)) lowerNode(node);
  const outputs = new Map<string, { place: Place; shape: Shape }>();
  for (const [name, id] of Object.entries(graph.outputs)) {
    const node = graph.nodes[id] as Node;
    const place = resultPlace(low, node);
    place.buffer.fetched = true;
    outputs.set(name, { place, shape: node.shape });
  }
  lowerUpdates(low, graph);
  return { program: lowering.program(), feeds: lowering.feeds, outputs };
}

/** A row-major copy of a node's value in the workspace, or the value itself where it is one. */
function resultPlace(low: Lowering, node: Node): Place {
  const value = low.value(node.id);
  const plain = value.map === undefined && value.uniform === undefined;
  const owned = value.place.buffer.kind === "workspace";
  if (plain && owned && !needsTransposition(node.shape)) return value.place;
  const place = low.allocate(bytesOf(node.shape));
  if (needsTransposition(node.shape)) {
    copyRowMajor(low, node, low.dense(node, value), place, "place");
  } else {
    copyValue(low, node, { shape: node.shape, place }, value);
  }
  return place;
}

/**
 * The updates whose values do not lie in their states yet. Values that lie in others of these states are copied out
 * first: all states change together.
 */
function lowerUpdates(low: Lowering, graph: Graph): void {
  const late = Object.entries(graph.updates).filter(([name, id]) => {
    const { place, map, uniform } = low.value(id);
    const there = place.buffer === low.state(name).buffer && place.offset === 0;
    return !there || map !== undefined || uniform !== undefined;
  });
  const changing = new Set(late.map(([name]) => low.state(name).buffer));
  const pending = late.map(([name, id]): [string, Node, Value] => {
    const node = graph.nodes[id] as Node;
    const value = low.value(id);
    if (!changing.has(value.place.buffer)) return [name, node, value];
    const copy = { shape: node.shape, place: low.allocate(bytesOf(node.shape)) };
    copyValue(low, node, copy, value);
    return [name, node, copy];
  });
  for (const [name, node, value] of pending) {
    copyValue(low, node, { shape: node.shape, place: low.state(name) }, value);
  }
}
