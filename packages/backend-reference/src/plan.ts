// A graph as the reference runs it: node after node, each value dropped after its last use.

import type { Graph, Node, Primitive, Values } from "@fewnorm/tensor";
import { sizeOf } from "@fewnorm/tensor";
import type { Kernel, KernelContext } from "./kernel.ts";
import { kernels } from "./kernels.ts";

/** Makes a zeroed array for one node's result. */
export type Allocate = (node: Pick<Node, "dtype">, length: number) => Values;

export interface Plan {
  readonly workspaceBytes: number;
  /** The values of the nodes that are outputs or updates, by node id. */
  run(
    feeds: ReadonlyMap<string, ArrayLike<number>>,
    states: ReadonlyMap<string, Values>,
  ): ReadonlyMap<number, Values>;
}

export function createPlan(graph: Graph, allocate: Allocate, bytesPerFloat: number): Plan {
  const { nodes } = graph;
  const kept = new Set([...Object.values(graph.outputs), ...Object.values(graph.updates)]);
  const freedAfter = lastUses(nodes, kept);
  return {
    workspaceBytes: peakBytes(nodes, freedAfter, bytesPerFloat),
    run(feeds, states) {
      const values = new Map<number, Values>();
      for (const node of nodes) {
        const y = allocate(node, sizeOf(node.shape));
        const x = node.inputs.map((id) => values.get(id)!);
        const shapes = node.inputs.map((id) => nodes[id]!.shape);
        compute({ node, x, shapes, y, feeds, states });
        values.set(node.id, y);
        for (const id of freedAfter[node.id]!) values.delete(id);
      }
      return values;
    },
  };
}

type AnyContext = Omit<KernelContext<Primitive>, "node"> & { readonly node: Node };

function compute(context: AnyContext): void {
  // `context.node.op` picks the kernel of its own primitive, which TypeScript cannot follow.
  const kernel = kernels[context.node.op] as Kernel<Primitive>;
  kernel(context as KernelContext<Primitive>);
}

/** For each node, the nodes whose values nothing needs after it. */
function lastUses(nodes: readonly Node[], kept: ReadonlySet<number>): number[][] {
  const freedAfter: number[][] = nodes.map(() => []);
  const seen = new Set(kept);
  for (const node of nodes.toReversed()) {
    for (const id of [node.id, ...node.inputs]) {
      if (seen.has(id)) continue;
      seen.add(id);
      freedAfter[node.id]!.push(id);
    }
  }
  return freedAfter;
}

/** The most bytes that are alive at once; states do not count. */
function peakBytes(
  nodes: readonly Node[],
  freedAfter: readonly (readonly number[])[],
  bytesPerFloat: number,
): number {
  const bytes = (id: number): number => {
    const { op, shape, dtype } = nodes[id]!;
    return op === "state" ? 0 : sizeOf(shape) * (dtype === "int32" ? 4 : bytesPerFloat);
  };
  let alive = 0;
  let peak = 0;
  for (const { id } of nodes) {
    alive += bytes(id);
    peak = Math.max(peak, alive);
    for (const freed of freedAfter[id]!) alive -= bytes(freed);
  }
  return peak;
}
