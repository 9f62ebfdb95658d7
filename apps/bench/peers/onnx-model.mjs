// A CIFAR ResNet as an ONNX model, written byte by byte: messages of protocol buffers, and the few fields of
// onnx.proto that it takes. Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

import { blocksOf } from "./resnet-blocks.mjs";

const varint = (value) => {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
};

/** A field that holds text, bytes or a message. */
const bytes = (field, value) => {
  const content = Buffer.from(value);
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
};
const integer = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const float = (field, value) => {
  const content = Buffer.alloc(4);
  content.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), content]);
};
const message = (...fields) => Buffer.concat(fields);

/** AttributeProto: a whole number, a list of them, or a float, which is written { float }. */
function attribute(name, value) {
  const [type, fields] = Array.isArray(value)
    ? [7, value.map((one) => integer(8, one))]
    : typeof value === "object"
      ? [1, [float(2, value.float)]]
      : [2, [integer(3, value)]];
  return message(bytes(1, name), ...fields, integer(20, type));
}

/** NodeProto. Its output is called `output`. */
const node = (op, inputs, output, attributes = {}) =>
  message(
    ...inputs.map((input) => bytes(1, input)),
    bytes(2, output),
    bytes(4, op),
    ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
  );

const dataTypes = { float32: 1, int64: 7 };

/** TensorProto with its numbers as raw bytes. */
const tensor = (name, type, shape, { buffer, byteOffset, byteLength }) =>
  message(
    ...shape.map((extent) => integer(1, extent)),
    integer(2, dataTypes[type]),
    bytes(8, name),
    bytes(9, Buffer.from(buffer, byteOffset, byteLength)),
  );

/** ValueInfoProto of a float tensor. */
const valueInfo = (name, shape) => {
  const extents = shape.map((extent) => bytes(1, integer(1, extent)));
  const type = message(integer(1, dataTypes.float32), bytes(2, message(...extents)));
  return message(bytes(1, name), bytes(2, bytes(1, type)));
};

/** ModelProto: images [N, C, H, W] → logits. */
export function resnetModel(tensors, shape) {
  const nodes = [];
  const constants = [];
  const add = (op, inputs, attributes) => {
    const output = `${op}${nodes.length}`;
    nodes.push(node(op, inputs, output, attributes));
    return output;
  };
  const constant = (values) => {
    const name = `constant${constants.length}`;
    const numbers = BigInt64Array.from(values, BigInt);
    constants.push(tensor(name, "int64", [values.length], numbers));
    return name;
  };
  const convolve = (x, conv, norm, stride) => {
    const geometry = { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [stride, stride] };
    const y = add("Conv", [x, `${conv}.weight`], geometry);
    const names = ["weight", "bias", "running_mean", "running_var"].map((one) => `${norm}.${one}`);
    return add("BatchNormalization", [y, ...names], { epsilon: { float: 1e-5 } });
  };
  const shortcut = (x, { stride, added }) => {
    if (added === 0) return x;
    const [far, axes] = [2 ** 31 - 1, [2, 3]];
    const slice = [[0, 0], [far, far], axes, [stride, stride]].map(constant);
    const before = Math.floor(added / 2);
    return add("Pad", [
      add("Slice", [x, ...slice]),
      constant([0, before, 0, 0, 0, added - before, 0, 0]),
    ]);
  };
  for (const [name, { shape: extents, values }] of tensors) {
    if (name !== "images" && name !== "labels") {
      constants.push(tensor(name, "float32", extents, values));
    }
  }
  let x = add("Relu", [convolve("images", "conv1", "bn1", 1)]);
  for (const block of blocksOf(tensors)) {
    const { path, stride } = block;
    let y = add("Relu", [convolve(x, `${path}.conv1`, `${path}.bn1`, stride)]);
    y = convolve(y, `${path}.conv2`, `${path}.bn2`, 1);
    x = add("Relu", [add("Add", [y, shortcut(x, block)])]);
  }
  const pooled = add("Flatten", [add("GlobalAveragePool", [x])], { axis: 1 });
  nodes.push(node("Gemm", [pooled, "fc.weight", "fc.bias"], "logits", { transB: 1 }));

  const classes = tensors.get("fc.bias").shape;
  const graph = message(
    ...nodes.map((one) => bytes(1, one)),
    bytes(2, "resnet"),
    ...constants.map((one) => bytes(5, one)),
    bytes(11, valueInfo("images", shape)),
    bytes(12, valueInfo("logits", [shape[0], ...classes])),
  );
  const opset = integer(2, 17);
  return message(integer(1, 8), bytes(7, graph), bytes(8, opset));
}
