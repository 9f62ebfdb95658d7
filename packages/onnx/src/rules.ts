// How each primitive that evaluation uses is written in ONNX's operators.
// Source: https://onnx.ai/onnx/operators, opset 17.

import { sameShape, sizeOf } from "@fewnorm/tensor";
import { convolutionRule, denseAsMatrix } from "./convolution-rule.ts";
import type { Emitter, Rule, Rules } from "./emitter.ts";
import { type Extent, layerNamed, sameExtent } from "./free-batch.ts";
import { averagePooled, clipped, joinedChannels } from "./idioms.ts";
import { normalizeRule } from "./normalize-rule.ts";

type BinaryOp = "add" | "subtract" | "multiply" | "divide";

const binary =
  (op: string): Rule<BinaryOp> =>
  ({ inputs, label }, emitter) =>
    emitter.emit(
      op,
      label,
      inputs.map((id) => emitter.value(id)),
    );

/** multiply(sum(x), 1/count) is a mean, if the number does not broadcast the sum. */
const multiplyRule: Rule<"multiply"> = (node, emitter) => {
  const [a, b] = node.inputs.map((id) => emitter.node(id));
  if (a?.op === "sum" && b?.op === "constant" && typeof b.attributes.values === "number") {
    const [x = 0] = a.inputs;
    const { axes } = a.attributes;
    const extents = axes.map((axis) => emitter.extents(x)[axis]);
    const count = extents.every((extent) => typeof extent === "number") ? sizeOf(extents) : 0;
    if (b.attributes.values === 1 / count && sameShape(node.shape, a.shape)) {
      const attributes = { axes: [...axes], keepdims: 0 };
      return emitter.emit("ReduceMean", node.label, [emitter.value(x)], attributes);
    }
  }
  return binary("Mul")(node, emitter);
};

const unary =
  (op: string): Rule<"sqrt" | "relu"> =>
  ({ inputs: [x = 0], label }, emitter) =>
    emitter.emit(op, label, [emitter.value(x)]);

const reshapeRule: Rule<"reshape"> = ({ id, inputs: [x = 0], label }, emitter) => {
  const matrix = denseAsMatrix(x, emitter.extents(id), emitter);
  if (matrix !== undefined) return matrix;
  const node = emitter.node(x);
  // Of several reshapes the last one counts.
  const source = node.op === "reshape" ? (node.inputs[0] as number) : x;
  const [from, to] = [emitter.extents(source), emitter.extents(id)];
  return emitter.reshaped(emitter.value(source), label, from, to);
};

const broadcastRule: Rule<"broadcast"> = ({ id, inputs: [x = 0], label }, emitter) => {
  const [from, to] = [emitter.extents(x), emitter.extents(id)];
  const sizes = to.map((extent, axis) => {
    if (typeof extent === "number") return extent;
    // Expand takes 1 for "as it is".
    if (sameExtent(from[axis - to.length + from.length], extent)) return 1;
    return dependsOnBatch(label);
  });
  return emitter.emit("Expand", label, [emitter.value(x), emitter.integers(sizes)]);
};

const sliceRule: Rule<"slice"> = ({ id, inputs: [x = 0], attributes, label }, emitter) => {
  const { start, stride } = attributes;
  const [from, to] = [emitter.extents(x), emitter.extents(id)];
  const whole = (axis: number) =>
    start[axis] === 0 && stride[axis] === 1 && sameExtent(from[axis], to[axis]);
  const axes = to.map((_, axis) => axis).filter((axis) => !whole(axis));
  if (axes.length === 0) return emitter.value(x);
  const pick = (values: readonly number[]) =>
    emitter.integers(axes.map((axis) => values[axis] as number));
  const ends = to.map((extent, axis) =>
    whole(axis)
      ? 0
      : (start[axis] as number) + (numberIn(extent, label) - 1) * (stride[axis] as number) + 1,
  );
  const inputs = [emitter.value(x), pick(start), pick(ends), emitter.integers(axes), pick(stride)];
  return emitter.emit("Slice", label, inputs);
};

const padRule: Rule<"pad"> = ({ id, inputs: [x = 0], attributes, label }, emitter) => {
  const { before, interior } = attributes;
  if (interior.some((stride) => stride !== 1)) {
    throw new Error(
      `exportOnnx: ${layerNamed(label)} puts zeros between values, which ONNX's Pad cannot`,
    );
  }
  const [from, to] = [emitter.extents(x), emitter.extents(id)];
  const after = to.map((extent, axis) => {
    const there = from[axis] as Extent;
    if (sameExtent(extent, there) && before[axis] === 0) return 0;
    return numberIn(extent, label) - numberIn(there, label) - (before[axis] as number);
  });
  return emitter.emit("Pad", label, [emitter.value(x), emitter.integers([...before, ...after])]);
};

const numberIn = (extent: Extent, label: string): number =>
  typeof extent === "number" ? extent : dependsOnBatch(label);

function dependsOnBatch(label: string): never {
  throw new Error(
    `exportOnnx: ${layerNamed(label)} works on parts of the batch; give the option batch, to export for one batch size`,
  );
}

/** What is not here does not occur in evaluation, or has no counterpart. */
export const rules: Rules = {
  input: ({ attributes }) => attributes.name,
  add: (node, emitter) => joinedChannels(node, emitter) ?? binary("Add")(node, emitter),
  subtract: (node, emitter) => clipped(node, emitter) ?? binary("Sub")(node, emitter),
  multiply: multiplyRule,
  divide: binary("Div"),
  sqrt: unary("Sqrt"),
  relu: unary("Relu"),
  reshape: reshapeRule,
  broadcast: broadcastRule,
  sum: ({ inputs: [x = 0], attributes, label }, emitter) =>
    emitter.emit("ReduceSum", label, [emitter.value(x), emitter.integers(attributes.axes)], {
      keepdims: 0,
    }),
  slice: sliceRule,
  pad: padRule,
  matmul: ({ inputs, attributes, label }, emitter: Emitter) =>
    emitter.emit(
      "Gemm",
      label,
      inputs.map((id) => emitter.value(id)),
      { transA: Number(attributes.transposeA), transB: Number(attributes.transposeB) },
    ),
  conv2d: (node, emitter) => averagePooled(node, emitter) ?? convolutionRule(node, emitter),
  maxPool: ({ inputs: [x = 0], attributes, label }, emitter) => {
    const { kernel, stride, padding } = attributes;
    return emitter.emit("MaxPool", label, [emitter.value(x)], {
      kernel_shape: kernel,
      strides: stride,
      pads: [...padding, ...padding],
    });
  },
  normalize: normalizeRule,
};
