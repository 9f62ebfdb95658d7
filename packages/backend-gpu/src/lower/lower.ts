// A graph as operations.

import type { Graph, Node, Primitive } from "@fewnorm/tensor";
import { checkCounted } from "../kernel/threads.ts";
import type { Lowered } from "../lowered.ts";
import type { Sizes } from "../sizes.ts";
import { createSlots, type Slots } from "./integers.ts";
import { argument, type LoweringContext } from "./lowering.ts";
import { lowerings } from "./lowerings.ts";
import { rowsOf } from "./regions.ts";

export interface LoweredGraph {
  /** By node id. */
  readonly results: readonly Lowered[];
  readonly slots: Slots;
  /** The array of all slots. */
  readonly slotArray: Lowered;
}

export function lower(graph: Graph, sizes: Sizes): LoweredGraph {
  const slots = createSlots();
  const results: Lowered[] = [];
  const ends = new Set([...Object.values(graph.outputs), ...Object.values(graph.updates)]);
  const firstUse = firstUses(graph);
  const shared = createShared();
  /** What later nodes read: of a part that was joined, the rows in the whole. */
  const read: Lowered[] = [];
  for (const node of graph.nodes) {
    const x = node.inputs.map((id) => read[id] as Lowered);
    for (const length of node.shape) checkCounted(length);
    const result =
      node.dtype === "int32" ? integers(node) : lowerOne({ node, x, slots, shared, sizes });
    results.push(result);
    read.push(result);
    if (node.op !== "joinRows") continue;
    const { indices, ranges } = node.attributes;
    for (const [k, range] of ranges.entries()) {
      const part = node.inputs[k] as number;
      const start = node.inputs[ranges.length + k] as number;
      if (ends.has(part) || firstUse[part] !== node.id) continue;
      read[part] = rowsOf(result, range, slots.row(start, indices[k] as number, range));
    }
  }
  const slotArray = argument([Math.max(1, slots.count)], { from: "slots" });
  return { results, slots, slotArray };
}

const integers = ({ shape, id }: Node): Lowered => argument(shape, { from: "integers", node: id });

/** For each node the first that reads it. */
function firstUses({ nodes }: Graph): (number | undefined)[] {
  const first: (number | undefined)[] = nodes.map(() => undefined);
  for (const { id, inputs } of nodes) for (const from of inputs) first[from] ??= id;
  return first;
}

function createShared(): LoweringContext<Primitive>["shared"] {
  const made = new Map<Lowered, Map<Lowered, Lowered>>();
  return (a, b, make) => {
    const ofA = made.get(a) ?? new Map<Lowered, Lowered>();
    made.set(a, ofA);
    const known = ofA.get(b) ?? make();
    ofA.set(b, known);
    return known;
  };
}

type AnyContext = Omit<LoweringContext<Primitive>, "node"> & { readonly node: Node };

function lowerOne(context: AnyContext): Lowered {
  // `node.op` picks the lowering of its own primitive, which TypeScript cannot follow.
  const lowering = lowerings[context.node.op] as (context: LoweringContext<Primitive>) => Lowered;
  return lowering(context as unknown as LoweringContext<Primitive>);
}
