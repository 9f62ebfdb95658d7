// Convolutions, with the batch normalization, the residual and the ReLU that they have taken in; and dense
// layers, which graphs write as 1×1 convolutions of 1×1 maps.

import type { Node, NodeOf } from "@fewnorm/tensor";
import { type BatchNorm, foldedNorm } from "./batch-norms.ts";
import type { Emitter, Rule } from "./emitter.ts";
import { type Extent, sameExtents } from "./free-batch.ts";
import { emitBatchNorm } from "./normalize-rule.ts";

type Convolution = NodeOf<"conv2d">;

export const convolutionRule: Rule<"conv2d"> = (node, emitter) => {
  const { id, label } = node;
  const matrix = emitDense(node, emitter);
  if (matrix !== undefined) {
    return emitter.reshaped(matrix, label, emitter.extents(id).slice(0, 2), emitter.extents(id));
  }
  const [x = 0] = node.inputs;
  const { weight, bias, norm, residual } = partsOf(node, emitter);
  const { stride, padding, groups } = node.attributes;
  const attributes = {
    kernel_shape: emitter.node(weight).shape.slice(2),
    strides: stride,
    pads: [...padding, ...padding],
    group: groups,
  };
  const biases = bias === undefined ? [] : [emitter.value(bias)];
  const inputs = [emitter.value(x), emitter.value(weight), ...biases];
  const y = emitter.emit("Conv", labelOf(weight, label, emitter), inputs, attributes);
  const skip = residual === undefined ? undefined : emitter.value(residual);
  return emitEnding(y, node, norm, skip, emitter);
};

/** The name of a dense layer's result [N, units], if that is what `id` and `wanted` are. */
export function denseAsMatrix(
  id: number,
  wanted: readonly Extent[],
  emitter: Emitter,
): string | undefined {
  const node = emitter.node(id);
  if (node.op !== "conv2d" || !sameExtents(wanted, emitter.extents(id).slice(0, 2)))
    return undefined;
  return emitDense(node, emitter);
}

/** A convolution of maps that are a matrix in another shape, as Gemm; undefined for any other. */
function emitDense(node: Convolution, emitter: Emitter): string | undefined {
  const [x = 0] = node.inputs;
  const { weight, bias, norm, residual } = partsOf(node, emitter);
  const rows = matrixBehind(x, emitter);
  const [units = 1, inputs = 1, kh, kw] = emitter.node(weight).shape;
  const { groups, padding } = node.attributes;
  const padded = padding.some((pixels) => pixels > 0);
  const dense = rows !== undefined && kh === 1 && kw === 1 && groups === 1 && !padded;
  if (!dense || !emitter.known(weight)) return undefined;
  const biases = bias === undefined ? [] : [emitter.value(bias)];
  const operands = [emitter.value(rows), emitter.stored(weight, [units, inputs]), ...biases];
  const label = labelOf(weight, node.label, emitter);
  const y = emitter.emit("Gemm", label, operands, { transB: 1 });
  const { id } = node;
  const skip =
    residual === undefined
      ? undefined
      : emitter.reshaped(
          emitter.value(residual),
          node.label,
          emitter.extents(id),
          emitter.extents(id).slice(0, 2),
        );
  return emitEnding(y, node, norm, skip, emitter);
}

/** The matrix [N, I] that [N, I, 1, 1] was made from. */
function matrixBehind(id: number, emitter: Emitter): number | undefined {
  const node = emitter.node(id);
  const [source] = node.inputs;
  if (node.op !== "reshape" || source === undefined) return undefined;
  const [n, inputs, ...map] = emitter.extents(id) as [Extent, Extent, ...Extent[]];
  const isMatrix = sameExtents(emitter.extents(source), [n, inputs]) && sameExtents(map, [1, 1]);
  return isMatrix ? source : undefined;
}

interface Parts {
  readonly weight: number;
  readonly bias: number | undefined;
  /** Where it is not to be folded. */
  readonly norm: BatchNorm | undefined;
  readonly residual: number | undefined;
}

function partsOf({ inputs, attributes }: Convolution, emitter: Emitter): Parts {
  const [, weight = 0, ...rest] = inputs;
  const bias = attributes.bias ? rest[0] : undefined;
  const residual = attributes.residual ? rest.at(-1) : undefined;
  const found = emitter.foldNorms ? undefined : foldedNorm(emitter.graph, weight, bias);
  return found === undefined
    ? { weight, bias, norm: undefined, residual }
    : { weight: found.weight, bias: found.bias, norm: found.norm, residual };
}

/** act(norm(y) + residual). */
function emitEnding(
  y: string,
  { label, attributes }: Convolution,
  norm: BatchNorm | undefined,
  residual: string | undefined,
  emitter: Emitter,
): string {
  const normalized = norm === undefined ? y : emitBatchNorm(y, norm, label, emitter);
  const sum =
    residual === undefined ? normalized : emitter.emit("Add", label, [normalized, residual]);
  return attributes.relu ? emitter.emit("Relu", label, [sum]) : sum;
}

/** A convolution belongs to the layer that its weight is named after. */
function labelOf(weight: number, label: string, emitter: Emitter): string {
  const behind = (node: Node): Node =>
    node.op === "reshape" || node.op === "multiply"
      ? behind(emitter.node(node.inputs[0] as number))
      : node;
  const node = behind(emitter.node(weight));
  return node.op === "state" ? node.attributes.name.replace(/\.weight$/, "") : label;
}
