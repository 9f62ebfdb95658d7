// int32 tensors on the host: labels and the origins of regions, which only ever come from inputs and constants.

import { type Graph, type Node, type Shape, sizeOf } from "@fewnorm/tensor";

type Elements = ReadonlyMap<string, ArrayLike<number>>;

/** The values of all int32 nodes by id, but for those that need what is not in `feeds`. */
export function computeIntegers(graph: Graph, feeds: Elements): Map<number, Int32Array> {
  const values = new Map<number, Int32Array>();
  for (const node of graph.nodes) {
    if (node.dtype !== "int32") continue;
    const x = node.inputs.map((id) => values.get(id)).filter((known) => known !== undefined);
    const value = x.length < node.inputs.length ? undefined : compute(node, x, graph, feeds);
    if (value !== undefined) values.set(node.id, value);
  }
  return values;
}

function compute(
  node: Node,
  x: readonly Int32Array[],
  graph: Graph,
  feeds: Elements,
): Int32Array | undefined {
  const [from, starts] = x as [Int32Array, Int32Array];
  switch (node.op) {
    case "input": {
      const fed = feeds.get(node.attributes.name);
      return fed && Int32Array.from(fed);
    }
    case "constant": {
      const { values: given } = node.attributes;
      return typeof given === "number"
        ? new Int32Array(sizeOf(node.shape)).fill(given)
        : Int32Array.from(given);
    }
    case "reshape":
      return from;
    case "rows": {
      const { index, range } = node.attributes;
      const { shape } = graph.nodes[node.inputs[0] as number] as { readonly shape: Shape };
      const size = sizeOf(shape.slice(1));
      const result = new Int32Array(sizeOf(node.shape));
      for (let i = 0; i < range.count; i++) {
        const turned = ((starts[index] as number) + range.offset + i) % range.modulo;
        const row = range.base + (turned < 0 ? turned + range.modulo : turned);
        result.set(from.subarray(row * size, (row + 1) * size), i * size);
      }
      return result;
    }
    default:
      throw new Error(`compile: ${node.op} gives no int32 tensor; the graph is malformed`);
  }
}
