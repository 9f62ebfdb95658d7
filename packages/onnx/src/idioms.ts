// What nn composes from primitives and ONNX has an operator for. Each returns undefined for anything else, which
// is then written as what it is composed of.

import type { NodeOf } from "@fewnorm/tensor";
import type { Emitter } from "./emitter.ts";
import { sameExtent } from "./free-batch.ts";

/** joinChannels(a, b): a with zeros behind it plus b with zeros before it. */
export function joinedChannels(
  { id, inputs, label }: NodeOf<"add">,
  emitter: Emitter,
): string | undefined {
  const [a, b] = inputs.map((input) => emitter.node(input));
  if (a?.op !== "pad" || b?.op !== "pad") return undefined;
  const parts = [a, b].map(({ inputs: [part = 0] }) => part) as [number, number];
  const [first, second] = parts.map((part) => emitter.node(part).shape[1] ?? 0);
  const whole = emitter.extents(id);
  const tight =
    whole[1] === (first ?? 0) + (second ?? 0) &&
    [a, b].every(({ attributes: { before, interior } }, which) =>
      before.every(
        (zeros, axis) => zeros === (axis === 1 && which === 1 ? first : 0) && interior[axis] === 1,
      ),
    ) &&
    parts.every((part) =>
      emitter.extents(part).every((extent, axis) => axis === 1 || sameExtent(extent, whole[axis])),
    );
  if (!tight) return undefined;
  const names = parts.map((part) => emitter.value(part));
  return emitter.emit("Concat", label, names, { axis: 1 });
}

/** atMost(x, limit): x − max(x − limit, 0). */
export function clipped(
  { inputs, label }: NodeOf<"subtract">,
  emitter: Emitter,
): string | undefined {
  const [x = 0, beyond = 0] = inputs;
  const rectified = emitter.node(beyond);
  if (rectified.op !== "relu") return undefined;
  const difference = emitter.node(rectified.inputs[0] as number);
  if (difference.op !== "subtract" || difference.inputs[0] !== x) return undefined;
  const limit = emitter.node(difference.inputs[1] as number);
  if (limit.op !== "constant" || limit.shape.length > 0) return undefined;
  return emitter.emit("Min", label, [emitter.value(x), emitter.value(limit.id)]);
}

/** averagePool(x, size): a convolution of each channel with 1/size². */
export function averagePooled(
  { inputs, attributes, label }: NodeOf<"conv2d">,
  emitter: Emitter,
): string | undefined {
  const [x = 0, filter = 0] = inputs;
  const weight = emitter.node(filter);
  const { groups, padding, stride, bias, residual, relu } = attributes;
  const [outputs = 0, inputsOfEach, kh = 1, kw = 1] = weight.shape;
  const plain = !bias && !residual && !relu && padding.every((pixels) => pixels === 0);
  const ofEach = inputsOfEach === 1 && groups === outputs;
  const equal = weight.op === "constant" && weight.attributes.values === 1 / (kh * kw);
  if (!plain || !ofEach || !equal) return undefined;
  const geometry = { kernel_shape: [kh, kw], strides: stride };
  return emitter.emit("AveragePool", label, [emitter.value(x)], geometry);
}
