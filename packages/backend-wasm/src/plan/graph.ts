// What the planner asks of a graph's nodes.

import type { Graph, Node, Primitive } from "@fewnorm/tensor";

/** Primitives whose results may be views of their operands. */
export const views: ReadonlySet<Primitive> = new Set(["reshape", "rows", "joinRows", "broadcast"]);

/** Primitives that read an element of an operand before they write that element of the result, and no other. */
export const elementwise: ReadonlySet<Primitive> = new Set([
  ...(["add", "subtract", "multiply", "divide", "sqrt", "relu", "reluGrad"] as const),
]);

export const isLeaf = ({ op }: Node): boolean =>
  op === "input" || op === "state" || op === "constant";

/** The nodes that take each value. */
export function usersOf({ nodes }: Graph): Node[][] {
  const users: Node[][] = nodes.map(() => []);
  for (const node of nodes) for (const from of new Set(node.inputs)) users[from]?.push(node);
  return users;
}

/** A value, and what it may be a view of in turn: which of them have copies is not known here. */
export function viewsOf({ nodes }: Graph, id: number): number[] {
  const found = [id];
  for (let node = nodes[id] as Node; views.has(node.op) && node.op !== "joinRows"; ) {
    const from = node.inputs[0] as number;
    found.push(from);
    node = nodes[from] as Node;
  }
  return found;
}
