// A graph as operations.

import type { Graph, Node, Primitive } from "@fewnorm/tensor";
import type { Lowered } from "../lowered.ts";
import { createSlots, type Slots } from "./integers.ts";
import { argument, type LoweringContext } from "./lowering.ts";
import { lowerings } from "./lowerings.ts";

export interface LoweredGraph {
  /** By node id. */
  readonly results: readonly Lowered[];
  readonly slots: Slots;
  /** The array of all slots. */
  readonly slotArray: Lowered;
}

export function lower(graph: Graph): LoweredGraph {
  const slots = createSlots();
  const results: Lowered[] = [];
  for (const node of graph.nodes) {
    results.push(node.dtype === "int32" ? integers(node) : lowerOne(node, results, slots));
  }
  const slotArray = argument([Math.max(1, slots.count)], { from: "slots" });
  return { results, slots, slotArray };
}

const integers = ({ shape, id }: Node): Lowered => argument(shape, { from: "integers", node: id });

function lowerOne(node: Node, results: readonly Lowered[], slots: Slots): Lowered {
  const x = node.inputs.map((id) => results[id] as Lowered);
  // `node.op` picks the lowering of its own primitive, which TypeScript cannot follow.
  const lowering = lowerings[node.op] as (context: LoweringContext<Primitive>) => Lowered;
  return lowering({ node, x, slots } as unknown as LoweringContext<Primitive>);
}
