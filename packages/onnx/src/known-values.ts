// What does not depend on the images: states, constants, and what is computed from them.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { type Graph, type Node, type Shape, sizeOf } from "@fewnorm/tensor";

/** Tensors by name, row-major. */
export type Tensors = ReadonlyMap<string, { readonly shape: Shape; readonly values: Float32Array }>;

/** For each node, whether its value is known without the images. */
export function knownNodes({ nodes }: Graph): readonly boolean[] {
  const known: boolean[] = [];
  for (const { op, inputs } of nodes) {
    known.push(op !== "input" && inputs.every((id) => known[id] === true));
  }
  return known;
}

/** The node behind reshapes, which has the same values. */
export function beforeReshapes(graph: Graph, id: number): Node {
  const node = graph.nodes[id] as Node;
  return node.op === "reshape" ? beforeReshapes(graph, node.inputs[0] as number) : node;
}

/** Names of the states that a node's value is computed from. */
export function statesBehind(graph: Graph, id: number): readonly string[] {
  return Object.keys(partOf(graph, [id]).states);
}

/**
 * The values of known nodes. States are handed on as they are; what is computed is computed in float64 and
 * rounded once.
 */
export async function valuesOf(
  graph: Graph,
  ids: readonly number[],
  tensors: Tensors,
): Promise<Map<number, Float32Array>> {
  const values = new Map<number, Float32Array>();
  const open: number[] = [];
  for (const id of ids) {
    const node = graph.nodes[id] as Node;
    if (node.op === "state") {
      values.set(id, tensors.get(node.attributes.name)?.values ?? new Float32Array(0));
    } else if (node.op === "constant" && node.dtype === "float32") {
      const { values: content } = node.attributes;
      values.set(
        id,
        typeof content === "number"
          ? new Float32Array(sizeOf(node.shape)).fill(content)
          : Float32Array.from(content),
      );
    } else open.push(id);
  }
  if (open.length > 0) {
    for (const [id, computed] of await compute(partOf(graph, open), tensors)) {
      values.set(id, computed);
    }
  }
  return values;
}

/** The part of a graph that computes some of its nodes, which become outputs named by their ids. */
function partOf(graph: Graph, ids: readonly number[]): Graph {
  const needed = new Set<number>();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (needed.has(id)) continue;
    needed.add(id);
    open.push(...(graph.nodes[id] as Node).inputs);
  }
  const kept = graph.nodes.filter(({ id }) => needed.has(id));
  const numbers = new Map(kept.map(({ id }, number) => [id, number]));
  const renumbered = (id: number) => numbers.get(id) as number;
  return {
    nodes: kept.map((node, id): Node => ({ ...node, id, inputs: node.inputs.map(renumbered) })),
    inputs: {},
    states: Object.fromEntries(
      Object.entries(graph.states).flatMap(([name, id]) =>
        needed.has(id) ? [[name, renumbered(id)]] : [],
      ),
    ),
    outputs: Object.fromEntries(ids.map((id) => [`${id}`, renumbered(id)])),
    updates: {},
  };
}

async function compute(part: Graph, tensors: Tensors): Promise<Map<number, Float32Array>> {
  const backend = createReferenceBackend({ precision: "float64" });
  try {
    const specs = Object.entries(part.states).map(([name, id]) => ({
      name,
      shape: (part.nodes[id] as Node).shape,
    }));
    const state = await backend.createState(specs);
    for (const { name } of specs) await state.write(name, tensors.get(name)?.values ?? []);
    const fetches = await (await backend.compile(part, state)).run({});
    return new Map(
      Object.entries(fetches).map(([id, { data }]) => [Number(id), Float32Array.from(data)]),
    );
  } finally {
    await backend.dispose();
  }
}
