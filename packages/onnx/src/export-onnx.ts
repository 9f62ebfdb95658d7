// From a model and its states to the bytes of an ONNX file.

import type { Model } from "@fewnorm/nn";
import {
  checkMethod,
  checkOptions,
  type Graph,
  type Node,
  sameShape,
  showShape,
  sizeOf,
} from "@fewnorm/tensor";
import { traceEvaluation } from "@fewnorm/train";
import { type Emitted, emitGraph } from "./emitter.ts";
import { foldNorms as withNormsFolded } from "./fold-norms.ts";
import { type Extent, fixedExtents, freeBatchExtents, layerNamed } from "./free-batch.ts";
import { type Tensors, valuesOf } from "./known-values.ts";
import { encodeModel, type Initializer, type ValueInfo } from "./onnx-messages.ts";
import { join } from "./protobuf.ts";
import { rules } from "./rules.ts";

/** Options of {@link exportOnnx}. */
export interface ExportOnnxOptions {
  /**
   * Multiplies normalization with running statistics into the convolution or dense layer directly before it.
   * Otherwise, by default, it stays a BatchNormalization, and all weights are in the file as they are, by their
   * names.
   */
  readonly foldNorms?: boolean;
  /** Images of a run; by default any number. */
  readonly batch?: number;
}

/** No protocol buffer can be larger. */
const maxBytes = 2 ** 31 - 1;

/**
 * The model's evaluation as an ONNX file, opset 17: input `images` [N, C, H, W] in standardized units, output
 * `logits` [N, classes], both float32.
 * @param tensors the model's states by name, as `readStateDict` and `stateDictOf` give them; others are ignored
 * @throws TypeError for what is no model or no map, and for options that there are not; Error for states that are missing or of another shape, for values that are not finite and variances
 *   below 0, for a model that computes what ONNX or any batch size cannot, and for more than 2 GiB.
 */
export async function exportOnnx(
  model: Model,
  tensors: Tensors,
  options: ExportOnnxOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkOptions("exportOnnx", options, { foldNorms: "boolean", batch: "number" });
  checkMethod("exportOnnx", "model", model, "logits", "one, such as resnet({ depth: 20, norm })");
  checkMethod(
    "exportOnnx",
    "tensors",
    tensors,
    "get",
    "a Map of tensors, which readStateDict makes",
  );
  const { foldNorms = false, batch } = options;
  // Two primes that no size of a layer is likely to be.
  const [first, second] = [batch ?? 11, 13];
  const traced = (images: number): Graph => {
    const { graph } = traceEvaluation(model, { batch: images });
    return foldNorms ? withNormsFolded(graph) : graph;
  };
  const graph = traced(first);
  checkStates(model, graph, tensors);
  const extents =
    batch === undefined
      ? freeBatchExtents([graph, first], [traced(second), second])
      : fixedExtents(graph);
  const output = graph.outputs.logits as number;
  const emitted = emitGraph(graph, extents, rules, { output, outputName: "logits", foldNorms });
  const initializers = await initializersOf(graph, emitted, tensors);
  const valueInfo = (name: string, id: number): ValueInfo => ({
    name,
    shape: (extents[id] ?? []).map((extent: Extent) => (typeof extent === "number" ? extent : "N")),
  });
  const encoded = encodeModel({
    name: model.name,
    nodes: emitted.nodes,
    initializers,
    input: valueInfo("images", graph.inputs.images as number),
    output: valueInfo("logits", output),
  });
  if (encoded.length > maxBytes) {
    throw new Error(
      `exportOnnx: ${model.name} takes ${encoded.length} bytes; an ONNX file can have ${maxBytes}`,
    );
  }
  return join(encoded);
}

function checkStates(model: Model, graph: Graph, tensors: Tensors): void {
  for (const [name, id] of Object.entries(graph.states)) {
    const { shape } = graph.nodes[id] as Node;
    const found = tensors.get(name);
    if (found === undefined || !sameShape(found.shape, shape)) {
      const what = found === undefined ? "missing" : showShape(found.shape);
      throw new Error(
        `exportOnnx: ${model.name} needs "${name}" ${showShape(shape)}, which is ${what}; give the states of this model`,
      );
    }
    checkVariance(name, found.values);
    const element = found.values.findIndex((value) => !Number.isFinite(value));
    if (element < 0) continue;
    throw new Error(
      `exportOnnx: "${name}" has ${found.values[element]} as element ${element}; give states that are finite`,
    );
  }
}

/** A square root would make NaN of it, in the reader or, where it is folded, in the weights. */
function checkVariance(name: string, values: Float32Array): void {
  const [found, layer = ""] = /^(?:(.*)\.)?running_var$/.exec(name) ?? [];
  const channel = values.findIndex((value) => !(value >= 0));
  if (found === undefined || channel < 0) return;
  throw new Error(
    `exportOnnx: ${layerNamed(layer)} has a running variance of ${values[channel]} in channel ${channel}; give states of a training, whose variances are 0 or more`,
  );
}

async function initializersOf(
  graph: Graph,
  { known, integers, repeated }: Emitted,
  tensors: Tensors,
): Promise<Initializer[]> {
  const ids = new Set([...known.values()].map(({ id }) => id));
  const values = await valuesOf(graph, [...ids], tensors);
  return [
    ...[...known].map(([name, { id, shape }]) => {
      const found = values.get(id) ?? new Float32Array(0);
      if (found.length !== sizeOf(shape)) {
        throw new Error(`exportOnnx: "${name}" has ${found.length} values; give all of them`);
      }
      return { name, shape, values: found };
    }),
    ...[...integers].map(([name, list]) => ({
      name,
      shape: [list.length],
      values: BigInt64Array.from(list, BigInt),
    })),
    ...[...repeated].map(([name, { value, size }]) => ({
      name,
      shape: [size],
      values: new Float32Array(size).fill(value),
    })),
  ];
}
