// What a model consists of and needs, read off its graph: nothing is allocated or computed.

import {
  createScope,
  crossEntropy,
  logitsOf,
  type Mode,
  type Model,
  type StateDeclaration,
  virtualRowsOf,
} from "@fewnorm/nn";
import {
  checkOptions,
  createBuilder,
  type Graph,
  grad,
  type Node,
  nodeCost,
  type Shape,
  sameShape,
  sizeOf,
} from "@fewnorm/tensor";

/** One layer, with what stands behind it up to the next (normalization, residual, ReLU). */
export interface LayerSummary {
  /** Its path, such as `layer1.0.bn1`, or what it does. */
  readonly name: string;
  /** The names of its states' owners: `layer1.0.conv1`, `layer1.0.bn1`. */
  readonly owners: readonly string[];
  /** Of its result for one image. */
  readonly shape: Shape;
  readonly parameters: number;
  /** Of one image's forward pass in evaluation; a multiply-add counts as two. */
  readonly flops: number;
}

/** What {@link summarize} tells. */
export interface ModelSummary {
  readonly layers: readonly LayerSummary[];
  readonly parameters: number;
  readonly flops: number;
  /**
   * Bytes of float32 that training keeps of each image for the gradient, its share of virtual images
   * included: every result of a layer that the backward pass reads, but no statistics or weights.
   */
  readonly activationBytes: number;
}

/**
 * Layers, shapes, parameters, flops and activation memory of a model. The memory is that of a training step
 * with `batch` images (default 32) divided by their number, since what is kept depends on the normalization.
 * @throws RangeError when the model cannot work at this batch size.
 */
export function summarize(model: Model, options: { readonly batch?: number } = {}): ModelSummary {
  checkOptions("summarize", options, { batch: "number" });
  const { batch = 32 } = options;
  const evaluation = traceModel(model, "evaluate", 1);
  const layers = layersOf(evaluation.graph, evaluation.states);
  return {
    layers,
    parameters: parameterCount(evaluation.states),
    flops: layers.reduce((sum, { flops }) => sum + flops, 0),
    activationBytes: (4 * keptElements(traceModel(model, "train", batch).graph)) / batch,
  };
}

const parameterCount = (states: readonly StateDeclaration[]): number =>
  states
    .filter(({ kind }) => kind === "parameter")
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** The graph of the logits, in training with the loss and its gradients. */
function traceModel(model: Model, mode: Mode, batch: number) {
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, mode, virtualRowsOf(model, mode));
  const images = builder.input("images", [batch, ...model.inputShape]);
  const logits = logitsOf(model, scope, images);
  builder.output("logits", logits);
  if (mode === "train") {
    const loss = crossEntropy(logits, builder.input("labels", [batch], "int32"));
    builder.output("loss", loss);
    const parameters = declarations.states.filter(({ kind }) => kind === "parameter");
    const values = parameters.map(({ name, shape }) => builder.state(name, shape));
    grad(loss, values).forEach((gradient, i) => {
      builder.output(`grad:${parameters[i]?.name}`, gradient);
    });
  }
  return { graph: builder.finish(), states: declarations.states };
}

/** Marks the nodes that depend on one of the named inputs, but not what they become in one of `ends`. */
function dependentOn(
  { nodes, inputs }: Graph,
  names: readonly string[],
  ends: (node: Node) => boolean = () => false,
): boolean[] {
  const dependent: boolean[] = [];
  const sources = new Set(names.map((name) => inputs[name]));
  for (const node of nodes) {
    const depends = node.inputs.some((operand) => dependent[operand]) && !ends(node);
    dependent[node.id] = sources.has(node.id) || depends;
  }
  return dependent;
}

/** Whether images are summed up, as in statistics and what is made of them: folded weights, for one. */
const joinsImages = (node: Node): boolean =>
  node.op === "moments" || (node.op === "sum" && node.attributes.axes.includes(0));

/** The layers in the order of computation: nodes of one label in a row are one. */
function layersOf(graph: Graph, states: readonly StateDeclaration[]): LayerSummary[] {
  const ofImages = dependentOn(graph, ["images"]);
  const layers: (LayerSummary & { readonly label: string })[] = [];
  for (const node of graph.nodes) {
    if (!ofImages[node.id] || node.op === "input") continue;
    const last = layers.at(-1);
    const { flops } = nodeCost(graph, node);
    const shape = node.shape.slice(1);
    if (node.op === "reshape") {
      // Dense layers compute on maps of one pixel.
      if (last !== undefined && sameShape(last.shape, [...shape, 1, 1])) {
        layers[layers.length - 1] = { ...last, shape };
      }
      continue;
    }
    if (last !== undefined && last.label === node.label) {
      layers[layers.length - 1] = { ...last, shape, flops: last.flops + flops };
    } else {
      const label = node.label;
      layers.push({ label, name: label || node.op, owners: [], shape, parameters: 0, flops });
    }
  }
  const owned = statesByLabel(graph, states, ofImages);
  return layers.map(({ label, ...layer }) => {
    const own = owned.get(label) ?? [];
    owned.delete(label);
    const owners = new Set(own.map(({ name }) => name.slice(0, name.lastIndexOf("."))));
    return { ...layer, owners: [...owners], parameters: parameterCount(own) };
  });
}

/** The states of each label: those that meet the images there first. */
function statesByLabel(
  { nodes, states: ids }: Graph,
  states: readonly StateDeclaration[],
  ofImages: readonly boolean[],
): Map<string, StateDeclaration[]> {
  const owned = new Map<string, StateDeclaration[]>();
  for (const state of states) {
    const reached = new Set([ids[state.name]]);
    const meeting = nodes.find(({ id, inputs }) => {
      if (!inputs.some((from) => reached.has(from))) return false;
      reached.add(id);
      return ofImages[id];
    });
    if (meeting === undefined) continue;
    const own = owned.get(meeting.label);
    if (own === undefined) owned.set(meeting.label, [state]);
    else own.push(state);
  }
  return owned;
}

/** Elements of the forward pass's results that the backward pass reads, each piece of memory counted once. */
function keptElements(graph: Graph): number {
  const { nodes, outputs } = graph;
  const loss = outputs.loss as number;
  const ofImages = dependentOn(graph, ["images", "virtualImages"], joinsImages);
  const joined = new Map<number, number>();
  for (const node of nodes) {
    if (node.op !== "joinRows") continue;
    for (const part of node.inputs.slice(0, node.attributes.ranges.length)) {
      joined.set(part, node.id);
    }
  }
  /** The node whose memory holds the result. */
  const holder = (id: number): number => {
    const { op, inputs } = nodes[id] as Node;
    if (op === "reshape" || op === "rows" || op === "broadcast") return holder(inputs[0] as number);
    return joined.get(id) ?? id;
  };
  const kept = new Set<number>();
  for (const { id, inputs } of nodes) {
    if (id <= loss) continue;
    for (const from of inputs) {
      if (from > loss || !ofImages[from]) continue;
      const held = holder(from);
      if ((nodes[held] as Node).op !== "input") kept.add(held);
    }
  }
  return [...kept].reduce((sum, id) => sum + sizeOf((nodes[id] as Node).shape), 0);
}
