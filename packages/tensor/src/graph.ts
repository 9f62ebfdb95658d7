// The graph as plain data, the builder that records it, and symbolic tensors.

import { checkKind } from "./options.ts";
import type { Attributes, Node, NodeOf, Primitive } from "./primitives.ts";
import { checkShape, type DType, type Shape, sameShape, showShape } from "./shape.ts";
import { checkTensor } from "./shape-checks.ts";
import { shapeRules } from "./shape-rules.ts";

/**
 * A step as data. `nodes` are in an order in which every input precedes its use, and a node's id is
 * its index. `updates` say which node each state takes its next value from; all states change
 * together, after the last read.
 */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: Readonly<Record<string, number>>;
  readonly states: Readonly<Record<string, number>>;
  readonly outputs: Readonly<Record<string, number>>;
  readonly updates: Readonly<Record<string, number>>;
}

/** A symbolic value: a node of the graph being recorded. It holds no numbers. */
export interface Tensor {
  readonly builder: Builder;
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Computes the gradients of a custom operation's inputs from its result's gradient. */
export type VectorJacobianProduct = (g: Tensor) => readonly (Tensor | undefined)[];

/** Records nodes. Equal nodes (same primitive, inputs and attributes) are recorded once. */
export interface Builder {
  readonly nodes: readonly Node[];
  /** A value fed at each run. @throws Error when the name is taken by another shape or dtype. */
  input(name: string, shape: Shape, dtype?: DType): Tensor;
  /** A value that lives on the backend under this name. @throws Error when the name is taken by another shape. */
  state(name: string, shape: Shape): Tensor;
  /** The values as they are now. @throws TypeError for int32 elements that are not whole numbers of 32 bits. */
  constant(values: number | readonly number[], shape?: Shape, dtype?: DType): Tensor;
  /** Makes `tensor` a result of every run under this name. */
  output(name: string, tensor: Tensor): void;
  /** Gives the state of this name its next value. */
  update(name: string, tensor: Tensor): void;
  /** Appends a node. Use the functions of ops.ts, which check their arguments. */
  append<P extends Primitive>(op: P, inputs: readonly Tensor[], attributes: Attributes[P]): Tensor;
  /** Appends the node of `tensor` once more, a node of its own, with these inputs of the same shapes. */
  again(tensor: Tensor, inputs: readonly Tensor[]): Tensor;
  /** Runs `body`; the nodes that it records carry this label. */
  labelled<T>(label: string, body: () => T): T;
  /** The tensor of a node. */
  tensor(id: number): Tensor;
  /** Custom gradients by node id; see `customGradient`. */
  readonly customGradients: ReadonlyMap<
    number,
    { inputs: readonly Tensor[]; vjp: VectorJacobianProduct }
  >;
  setCustomGradient(result: Tensor, inputs: readonly Tensor[], vjp: VectorJacobianProduct): Tensor;
  /** The graph recorded so far, without what neither an output nor an update needs. */
  finish(): Graph;
}

/** A builder of an empty graph; {@link trace} makes one, and ends with its `finish`. */
export function createBuilder(): Builder {
  const nodes: Node[] = [];
  const known = new Map<string, number>();
  const [inputs, states, outputs, updates] = [
    emptyTable(),
    emptyTable(),
    emptyTable(),
    emptyTable(),
  ];
  const customGradients = new Map<
    number,
    { inputs: readonly Tensor[]; vjp: VectorJacobianProduct }
  >();
  let label = "";

  function push<P extends Primitive>(
    op: P,
    from: readonly Tensor[],
    attributes: Attributes[P],
  ): Tensor {
    const { shape, dtype } = inLayer(label, () => {
      const type = shapeRules[op](from, attributes);
      checkShape(op, type.shape);
      return type;
    });
    const node: NodeOf<P> = {
      id: nodes.length,
      op,
      inputs: from.map((tensor) => tensor.id),
      attributes,
      shape,
      dtype,
      label,
    };
    nodes.push(node as unknown as Node);
    return builder.tensor(node.id);
  }

  function own(where: string, tensor: Tensor): void {
    checkTensor(where, tensor);
    if (tensor.builder !== builder) {
      throw new TypeError(
        `${where}: a tensor belongs to another graph; use tensors of one trace only`,
      );
    }
  }

  function named(
    kind: "input" | "state",
    table: Record<string, number>,
    name: string,
    shape: Shape,
    dtype: DType,
  ): Tensor {
    const id = table[name];
    if (id === undefined) {
      const made =
        kind === "input"
          ? push("input", [], { name, shape, dtype })
          : push("state", [], { name, shape });
      table[name] = made.id;
      return made;
    }
    const tensor = builder.tensor(id);
    if (!sameShape(tensor.shape, shape) || tensor.dtype !== dtype) {
      throw new Error(
        `${kind}: "${name}" is already ${tensor.dtype} ${showShape(tensor.shape)}, not ${dtype} ${showShape(shape)}; choose another name`,
      );
    }
    return tensor;
  }

  const builder: Builder = {
    nodes,
    customGradients,
    input: (name, shape, dtype = "float32") => named("input", inputs, name, shape, dtype),
    state: (name, shape) => named("state", states, name, shape, "float32"),
    constant(given, shape = [], dtype = "float32") {
      // Copied, so that it stays what it is when the caller uses the array again.
      const values = typeof given === "number" ? given : Array.from(given);
      return builder.append("constant", [], { values, shape, dtype });
    },
    output(name, tensor) {
      own("output", tensor);
      if (name in outputs) throw new Error(`output: "${name}" exists already; choose another name`);
      outputs[name] = tensor.id;
    },
    update(name, tensor) {
      own("update", tensor);
      const id = states[name];
      if (id === undefined) {
        throw new Error(`update: there is no state "${name}"; read it with state() first`);
      }
      if (name in updates) {
        throw new Error(
          `update: "${name}" has its next value already, and takes one in a step; give layers different names, and run each once`,
        );
      }
      const { shape } = builder.tensor(id);
      if (!sameShape(shape, tensor.shape)) {
        throw new RangeError(
          `update: "${name}" is ${showShape(shape)}, its next value ${showShape(tensor.shape)}`,
        );
      }
      if (tensor.dtype !== "float32") {
        throw new TypeError(`update: "${name}" is float32, its next value ${tensor.dtype}`);
      }
      updates[name] = tensor.id;
    },
    append(op, from, attributes) {
      for (const tensor of from) own(op, tensor);
      const identity = JSON.stringify([op, from.map((tensor) => tensor.id), attributes], exactly);
      const id = known.get(identity);
      if (id !== undefined) return builder.tensor(id);
      const made = push(op, from, attributes);
      known.set(identity, made.id);
      return made;
    },
    again(tensor, from) {
      for (const one of [tensor, ...from]) own("again", one);
      const { op, attributes } = nodes[tensor.id] as Node;
      return push<Primitive>(op, from, attributes);
    },
    labelled(name, body) {
      const outer = label;
      label = name;
      try {
        return body();
      } finally {
        label = outer;
      }
    },
    tensor(id) {
      const { shape, dtype } = nodes[id] as Node;
      return { builder, id, shape, dtype };
    },
    setCustomGradient(result, from, vjp) {
      for (const tensor of [result, ...from]) own("customGradient", tensor);
      // A node of its own, never shared with an equal one that is differentiated the usual way.
      const made = push("reshape", [result], { shape: result.shape });
      customGradients.set(made.id, { inputs: from, vjp });
      return made;
    },
    finish: () => prune({ nodes, inputs, states, outputs, updates }),
  };
  return builder;
}

/** What `body` returns. @throws its error, with the layer named behind the primitive. */
function inLayer<T>(label: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (label === "" || !(error instanceof Error)) throw error;
    const message = error.message.replace(/^\w+:/, (op) => `${op} layer "${label}":`);
    const Kind = error instanceof TypeError ? TypeError : RangeError;
    throw new Kind(message, { cause: error });
  }
}

/** Without a prototype, so that no name (`constructor`, …) is there from the start. */
const emptyTable = (): Record<string, number> => Object.create(null);

/** For JSON.stringify: numbers that JSON does not tell apart, such as NaN and Infinity, or 0 and −0. */
function exactly(_: string, value: unknown): unknown {
  const plain = typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0));
  return plain ? value : `number ${Object.is(value, -0) ? "-0" : value}`;
}

/**
 * Records `body` and returns its graph.
 * @throws TypeError for a body that is asynchronous: the graph ends where it returns.
 */
export function trace(body: (builder: Builder) => void): Graph {
  checkKind("trace", "body", body, "function");
  const builder = createBuilder();
  const result: unknown = body(builder);
  if (result instanceof Promise) {
    throw new TypeError(
      "trace: body returned a promise; await before, and give one that is not async",
    );
  }
  return builder.finish();
}

/** Drops nodes that nothing needs and reshapes that change nothing, and numbers the rest anew. */
function prune(graph: Graph): Graph {
  const { nodes } = graph;
  const source = (id: number): number => {
    const node = nodes[id] as Node;
    const [from] = node.inputs;
    if (node.op !== "reshape" || from === undefined) return id;
    return sameShape(node.shape, (nodes[from] as Node).shape) ? source(from) : id;
  };
  const needed = new Set<number>();
  const ends = [...Object.values(graph.outputs), ...Object.values(graph.updates)];
  const open = ends.map(source);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (needed.has(id)) continue;
    needed.add(id);
    for (const from of (nodes[id] as Node).inputs) open.push(source(from));
  }
  const numbers = new Map<number, number>();
  const kept = nodes
    .filter((node) => needed.has(node.id))
    .map((node, id): Node => {
      numbers.set(node.id, id);
      return {
        ...node,
        id,
        inputs: node.inputs.map((from) => numbers.get(source(from)) as number),
      };
    });
  const renamed = (table: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(table)
        .map(([name, id]) => [name, numbers.get(source(id))] as const)
        .filter((entry): entry is [string, number] => entry[1] !== undefined),
    );
  return {
    nodes: kept,
    inputs: renamed(graph.inputs),
    states: renamed(graph.states),
    outputs: renamed(graph.outputs),
    updates: renamed(graph.updates),
  };
}
