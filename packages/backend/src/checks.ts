// Checks that every backend makes alike, with the same words.

import {
  checkMethod,
  checkShape,
  elementsOf,
  type Graph,
  type HostValue,
  type Node,
  sameShape,
  showShape,
  showValue,
} from "@fewnorm/tensor";
import type { Feeds, StateSpec } from "./backend.ts";

/**
 * Checks what `createState` is given.
 * @throws Error when a name occurs twice, RangeError or TypeError for a shape that is none, TypeError for no array.
 */
export function checkSpecs(specs: readonly StateSpec[]): void {
  checkMethod(
    "createState",
    "specs",
    specs,
    "map",
    'an array, such as [{ name: "w", shape: [3] }]',
  );
  const seen = new Set<string>();
  for (const { name, shape } of specs) {
    checkShape(`createState: "${name}"`, shape);
    if (seen.has(name)) throw new Error(`createState: "${name}" occurs twice; names must differ`);
    seen.add(name);
  }
}

/**
 * Checks that what is to be compiled is a graph, and that its states are there.
 * @throws TypeError for what is no graph, Error when the graph reads or updates a state that is missing from `specs` or has another shape.
 */
export function checkStates(graph: Graph, specs: readonly StateSpec[]): void {
  if (!Array.isArray((graph as Graph | undefined)?.nodes)) {
    throw new TypeError(
      `compile: graph is ${showValue(graph)}; give what trace, or a builder's finish, makes`,
    );
  }
  const shapes = new Map(specs.map(({ name, shape }) => [name, shape]));
  // A state whose old value nothing needs stands in `updates` alone.
  for (const [name, id] of [...Object.entries(graph.states), ...Object.entries(graph.updates)]) {
    const { shape } = graph.nodes[id] as Node;
    const held = shapes.get(name);
    if (held === undefined) {
      throw new Error(
        `compile: the graph uses the state "${name}", which was not created; pass the state that holds it`,
      );
    }
    if (!sameShape(shape, held)) {
      throw new Error(
        `compile: the state "${name}" is ${showShape(held)}, but the graph expects ${showShape(shape)}`,
      );
    }
  }
}

/**
 * What a state holds under a name.
 * @throws Error for an unknown name.
 */
export function findState<V>(where: string, name: string, values: ReadonlyMap<string, V>): V {
  const value = values.get(name);
  if (value === undefined) {
    const names = [...values.keys()].map((known) => `"${known}"`).join(", ");
    throw new Error(`${where}: there is no state "${name}"; there are ${names || "none"}`);
  }
  return value;
}

/**
 * The elements of every feed that the graph needs, by input name.
 * @throws Error for a missing or unknown feed, RangeError or TypeError for one of a wrong shape or kind.
 */
export function checkFeeds(graph: Graph, feeds: Feeds): Map<string, ArrayLike<number>> {
  const elements = new Map<string, ArrayLike<number>>();
  for (const [name, id] of Object.entries(graph.inputs)) {
    const value: HostValue | undefined = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
    if (value === undefined) {
      throw new Error(
        `run: the input "${name}" was not fed; the graph needs ${list(graph.inputs)}`,
      );
    }
    const { shape, dtype } = graph.nodes[id] as Node;
    elements.set(name, elementsOf(`run: input "${name}"`, value, shape, dtype));
  }
  for (const name of Object.keys(feeds)) {
    if (!Object.hasOwn(graph.inputs, name)) {
      throw new Error(`run: there is no input "${name}"; the graph has ${list(graph.inputs)}`);
    }
  }
  return elements;
}

function list(table: Readonly<Record<string, number>>): string {
  const names = Object.keys(table);
  return names.length === 0 ? "no inputs" : names.map((name) => `"${name}"`).join(", ");
}
