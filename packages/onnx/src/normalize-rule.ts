// Normalization layers of their own, and those taken out of a convolution.

import { type BatchNorm, scaleOf } from "./batch-norms.ts";
import type { Emitter, Rule } from "./emitter.ts";
import { layerNamed } from "./free-batch.ts";

/** γ·(x − mean)/√(variance + ε) + β with values that the file holds. */
export function emitBatchNorm(
  x: string,
  { gamma, beta, mean, variance, epsilon }: BatchNorm,
  label: string,
  emitter: Emitter,
): string {
  const inputs = [x, ...[gamma, beta, mean, variance].map((id) => emitter.value(id))];
  return emitter.emit("BatchNormalization", label, inputs, { epsilon: { float: epsilon } });
}

/** act((x − mean)·scale + shift + residual). */
export const normalizeRule: Rule<"normalize"> = ({ inputs, attributes, label }, emitter) => {
  const [x = 0, mean = 0, scale = 0, shift = 0, residual] = inputs;
  const y = emitNormalized(x, { mean, scale, shift }, label, emitter);
  const sum = residual === undefined ? y : emitter.emit("Add", label, [y, emitter.value(residual)]);
  return attributes.relu ? emitter.emit("Relu", label, [sum]) : sum;
};

function emitNormalized(
  x: number,
  { mean, scale, shift }: { mean: number; scale: number; shift: number },
  label: string,
  emitter: Emitter,
): string {
  const name = emitter.value(x);
  if (![mean, scale, shift].every((id) => emitter.known(id))) {
    throw new Error(
      `exportOnnx: ${layerNamed(label)} normalizes with statistics of the batch, which an exported model has not`,
    );
  }
  const known = scaleOf(emitter.graph, scale);
  if (known !== undefined && !emitter.foldNorms) {
    return emitBatchNorm(name, { ...known, beta: shift, mean }, label, emitter);
  }
  // The scale as γ of a batch norm whose variance is 1.
  const [channels = 1] = emitter.node(scale).shape;
  const inputs = [name, ...[scale, shift, mean].map((id) => emitter.value(id))];
  return emitter.emit("BatchNormalization", label, [...inputs, emitter.repeated(1, channels)], {
    epsilon: { float: 0 },
  });
}
