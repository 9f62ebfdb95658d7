// Where regions with a dynamic origin lie: rows and windows.

import type { Node, NodeOf, Shape, WindowAttributes } from "@fewnorm/tensor";
import { copyValue } from "../elementwise.ts";
import { isLeaf } from "../graph.ts";
import { bytesOf, type Lowering, rowMapping, type Value } from "../lowering.ts";
import { type Access, type Argument, at, type Place, reads } from "../program.ts";
import { operand } from "./rule.ts";

/** Where a pair of origins, or one start, is read. */
export function indexPlace({ place, uniform }: Value, index: number): Place {
  return { buffer: place.buffer, offset: place.offset + (uniform === undefined ? 4 * index : 0) };
}

export const startAccess = ({ place, shape }: Value): Access => reads(place, bytesOf(shape));

/** The arguments that describe a window, in the order of assembly/regions.ts. */
export function windowArguments(origin: Place, map: Shape, window: WindowAttributes): Argument[] {
  const [images = 1, channels = 1, height = 1, width = 1] = map;
  return [
    ...[at(origin), ...window.stride, ...window.offset],
    ...[images, channels, height, width, window.height, window.width],
  ];
}

/** Rows are a view of what they are rows of, or a copy where their start is computed in the step. */
export function rowsOf(low: Lowering, node: NodeOf<"rows">): Value {
  const { shape, attributes } = node;
  const x = operand(low, node, 0);
  if (x.uniform !== undefined) return { ...x, shape };
  const start = operand(low, node, 1);
  const map = rowMapping(start, attributes.index, attributes.range);
  const view = { shape, place: low.dense(node, x).place, map };
  // The planner takes starts as known before the step; a computed one is read once and for all here.
  if (isLeaf(low.graph.nodes[node.inputs[1] as number] as Node)) return view;
  const out = low.result(node);
  copyValue(low, node, out, view);
  return out;
}
