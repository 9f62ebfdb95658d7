// A graph whose results come with the tolerance of each of their elements, for the oracle to run.

import {
  add,
  createBuilder,
  type Graph,
  multiply,
  type Node,
  type NodeOf,
  type Primitive,
  type Tensor,
} from "@fewnorm/tensor";
import { type MagnitudeContext, magnitudeRules, safety } from "./magnitudes.ts";

/** Results below this are compared as if they were zero: a backend may flush subnormal numbers. */
const smallest = 2 ** -120;

/** The names of the results that `withTolerances` gives for one of the graph's. */
export const expectedName = (kind: "output" | "update", name: string) => `${kind} ${name}`;
export const toleranceName = (kind: "output" | "update", name: string) => `${kind} ${name} ±`;

/**
 * The graph with, for each of its outputs and updates, an output of its value and one of its
 * tolerance: 8 · √k · u · magnitude, where k counts the roundings on the way; see magnitudes.ts.
 * Values that are only moved have k = 0 and must agree exactly. Nothing is updated.
 */
export function withTolerances(graph: Graph, unit: number): Graph {
  const builder = createBuilder();
  const values: Tensor[] = [];
  const magnitudes: Tensor[] = [];
  const counts: number[] = [];
  for (const node of graph.nodes) {
    const x = node.inputs.map((id) => values[id] as Tensor);
    const m = node.inputs.map((id) => magnitudes[id] as Tensor);
    const before = Math.max(0, ...node.inputs.map((id) => counts[id] as number));
    const y = append(node, x);
    const { terms, magnitude } = magnitudeOf({ node, x, m, y, exact: before === 0, unit });
    values.push(y);
    magnitudes.push(magnitude);
    counts.push(before + terms);
  }

  function append(node: Node, x: readonly Tensor[]): Tensor {
    const { op, attributes } = node;
    if (op === "input") return builder.input(attributes.name, attributes.shape, attributes.dtype);
    if (op === "state") return builder.state(attributes.name, attributes.shape);
    return builder.append(op, x, attributes);
  }

  function give(kind: "output" | "update", table: Readonly<Record<string, number>>): void {
    for (const [name, id] of Object.entries(table)) {
      const count = counts[id] as number;
      const factor = safety * Math.sqrt(count) * unit;
      builder.output(expectedName(kind, name), values[id] as Tensor);
      if (count > 0) {
        const tolerance = add(multiply(magnitudes[id] as Tensor, factor), smallest);
        builder.output(toleranceName(kind, name), tolerance);
      }
    }
  }

  give("output", graph.outputs);
  give("update", graph.updates);
  return builder.finish();
}

type AnyContext = Omit<MagnitudeContext<Primitive>, "node"> & { readonly node: Node };

function magnitudeOf(context: AnyContext) {
  // The rule is the one of `context.node`'s own primitive, which TypeScript cannot follow.
  const rule = magnitudeRules[context.node.op] as (typeof magnitudeRules)["add"];
  return rule(context as MagnitudeContext<Primitive> as { node: NodeOf<"add"> } & AnyContext);
}
