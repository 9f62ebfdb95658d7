// Turns a graph into ONNX nodes, from its output backwards: each node when it is first asked for, once.

import type { Graph, Node, NodeOf, Primitive, Shape } from "@fewnorm/tensor";
import { type Extent, type Extents, layerNamed, sameExtents, showExtents } from "./free-batch.ts";
import { beforeReshapes, knownNodes, statesBehind } from "./known-values.ts";
import type { AttributeValue, OnnxNode } from "./onnx-messages.ts";

/** What the rules of the primitives are given. */
export interface Emitter {
  readonly graph: Graph;
  /** Whether normalization is multiplied into weights, or stands in nodes of its own. */
  readonly foldNorms: boolean;
  node(id: number): Node;
  extents(id: number): readonly Extent[];
  /** Whether a node's value does not depend on the images. */
  known(id: number): boolean;
  /** The name of a node's value. */
  value(id: number): string;
  /** The name of a known node's value, in another shape if one is given. */
  stored(id: number, shape?: Shape): string;
  /** The name of numbers that the file holds, such as axes. */
  integers(values: readonly number[]): string;
  /** The name of `size` equal floats that the file holds. */
  repeated(value: number, size: number): string;
  /** Appends a node and returns its output's name. `label` is the layer that it belongs to. */
  emit(
    op: string,
    label: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): string;
  /** The value of this name and extents in others. */
  reshaped(name: string, label: string, from: readonly Extent[], to: readonly Extent[]): string;
}

/** Emits one primitive and returns its value's name. */
export type Rule<P extends Primitive> = (node: NodeOf<P>, emitter: Emitter) => string;
export type Rules = { readonly [P in Primitive]?: Rule<P> };

/** What has been emitted. */
export interface Emitted {
  readonly nodes: readonly OnnxNode[];
  /** Known values that the file must hold: the node that has the value, and the shape it is wanted in. */
  readonly known: ReadonlyMap<string, { readonly id: number; readonly shape: Shape }>;
  readonly integers: ReadonlyMap<string, readonly number[]>;
  readonly repeated: ReadonlyMap<string, { readonly value: number; readonly size: number }>;
}

/** Emits what `output` needs; its value is called `outputName`. @throws Error for a primitive without a rule. */
export function emitGraph(
  graph: Graph,
  extents: Extents,
  rules: Rules,
  options: { readonly output: number; readonly outputName: string; readonly foldNorms: boolean },
): Emitted {
  const isKnown = knownNodes(graph);
  const nodes: OnnxNode[] = [];
  const values = new Map<number, string>();
  const known = new Map<string, { id: number; shape: Shape }>();
  const integers = new Map<string, readonly number[]>();
  const repeated = new Map<string, { value: number; size: number }>();
  const ends = [options.outputName, ...Object.keys(graph.inputs)];
  const taken = new Map([...ends, ...Object.keys(graph.states)].map((name) => [name, 1]));
  const both = ends.find((name) => Object.hasOwn(graph.states, name));
  if (both !== undefined) {
    throw new Error(
      `exportOnnx: a parameter is called "${both}", as an input or output is; give it another name`,
    );
  }

  const unique = (wanted: string): string => {
    const times = taken.get(wanted) ?? 0;
    taken.set(wanted, times + 1);
    return times === 0 ? wanted : unique(`${wanted}_${times}`);
  };

  const emitter: Emitter = {
    graph,
    foldNorms: options.foldNorms,
    node: (id) => graph.nodes[id] as Node,
    extents: (id) => extents[id] ?? [],
    known: (id) => isKnown[id] === true,
    value(id) {
      const found = values.get(id);
      if (found !== undefined) return found;
      const node = emitter.node(id);
      const name = emitter.known(id) ? emitter.stored(id) : emitNode(node);
      values.set(id, name);
      return name;
    },
    stored(id, shape = emitter.node(id).shape) {
      const node = beforeReshapes(graph, id);
      if (emitter.extents(id).some((extent) => typeof extent !== "number")) {
        const sources = statesBehind(graph, id).map((name) => `"${name}"`);
        const made = sources.length === 0 ? "" : `, made of ${sources.join(", ")},`;
        throw new Error(
          `exportOnnx: ${layerNamed(node.label)} has a constant ${showExtents(emitter.extents(id))}${made} that grows with the batch; leave broadcasting to the operation that takes it, or give the option batch`,
        );
      }
      const name =
        node.op === "state" ? node.attributes.name : `${prefix(node.label)}${node.op}${node.id}`;
      const sameShape = shape.join() === node.shape.join();
      const full = sameShape ? name : `${name}[${shape.join()}]`;
      known.set(full, { id: node.id, shape });
      return full;
    },
    integers(list) {
      const name = `integers[${list.join()}]`;
      integers.set(name, list);
      return name;
    },
    repeated(value, size) {
      const name = `${size}×${value}`;
      repeated.set(name, { value, size });
      return name;
    },
    emit(op, label, inputs, attributes = {}) {
      const output = unique(`${prefix(label)}${op}`);
      nodes.push({ op, name: output, inputs, output, attributes });
      return output;
    },
    reshaped(name, label, from, to) {
      if (sameExtents(from, to)) return name;
      const free = to.filter((extent) => typeof extent !== "number").length;
      if (free > 1) {
        throw new Error(
          `exportOnnx: ${layerNamed(label)} has a shape that depends on the batch twice; give the option batch`,
        );
      }
      // One size may be left to the reader to find.
      const sizes = to.map((extent) => (typeof extent === "number" ? extent : -1));
      return emitter.emit("Reshape", label, [name, emitter.integers(sizes)]);
    },
  };

  function emitNode(node: Node): string {
    const rule = rules[node.op] as Rule<Primitive> | undefined;
    if (rule === undefined) {
      throw new Error(
        `exportOnnx: ${layerNamed(node.label)} computes ${node.op} in evaluation, which cannot be exported; use another norm or layer`,
      );
    }
    return rule(node as NodeOf<Primitive>, emitter);
  }

  const last = emitter.value(options.output);
  const index = nodes.findIndex(({ output }) => output === last);
  if (index < 0) emitter.emit("Identity", "", [last]);
  const named = index < 0 ? (nodes.at(-1) as OnnxNode).output : last;
  const rename = (name: string) => (name === named ? options.outputName : name);
  return {
    nodes: nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(rename),
      output: rename(node.output),
    })),
    known,
    integers,
    repeated,
  };
}

const prefix = (label: string): string => (label === "" ? "" : `${label}/`);
