// The messages of ONNX that an exported graph consists of. Field numbers are those of
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

import { bytes, type Encoded, fields, float, integer, message, text } from "./protobuf.ts";

/** An attribute of a node: a whole number, a list of them, or a float. */
export type AttributeValue = number | readonly number[] | { readonly float: number };

/** A node with one output. */
export interface OnnxNode {
  readonly op: string;
  /** What people see in a viewer: the layer that it belongs to. */
  readonly name: string;
  /** Names of values. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** A tensor that the file holds. */
export interface Initializer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | BigInt64Array;
}

/** An input or output of the graph; a size that is text is the name of one that is free. */
export interface ValueInfo {
  readonly name: string;
  readonly shape: readonly (number | string)[];
}

/** All that a file holds. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly input: ValueInfo;
  readonly output: ValueInfo;
}

/** The version of the operators. */
const opset = 17;
/** The version of the file format that came with it. */
const irVersion = 8;
const dataTypes = { float32: 1, int64: 7 };
const attributeTypes = { float: 1, integer: 2, integers: 7 };

/** ModelProto. */
export const encodeModel = (graph: OnnxGraph): Encoded =>
  fields(
    integer(1, irVersion),
    text(2, "fewnorm"),
    message(
      7,
      ...graph.nodes.map((node) => message(1, ...nodeProto(node))),
      text(2, graph.name),
      ...graph.initializers.map((tensor) => message(5, ...tensorProto(tensor))),
      message(11, ...valueInfoProto(graph.input)),
      message(12, ...valueInfoProto(graph.output)),
    ),
    message(8, text(1, ""), integer(2, opset)),
  );

const nodeProto = ({ op, name, inputs, output, attributes }: OnnxNode): Encoded[] => [
  ...inputs.map((input) => text(1, input)),
  text(2, output),
  text(3, name),
  text(4, op),
  ...Object.entries(attributes).map(([key, value]) => message(5, ...attributeProto(key, value))),
];

function attributeProto(name: string, value: AttributeValue): Encoded[] {
  if (typeof value === "number") {
    return [text(1, name), integer(3, value), integer(20, attributeTypes.integer)];
  }
  if ("float" in value) {
    return [text(1, name), float(2, value.float), integer(20, attributeTypes.float)];
  }
  const all = value.map((one) => integer(8, one));
  return [text(1, name), ...all, integer(20, attributeTypes.integers)];
}

const tensorProto = ({ name, shape, values }: Initializer): Encoded[] => [
  ...shape.map((extent) => integer(1, extent)),
  integer(2, values instanceof Float32Array ? dataTypes.float32 : dataTypes.int64),
  text(8, name),
  bytes(9, littleEndian(values)),
];

function valueInfoProto({ name, shape }: ValueInfo): Encoded[] {
  const extents = shape.map((extent) =>
    message(1, typeof extent === "number" ? integer(1, extent) : text(2, extent)),
  );
  const tensorType = message(1, integer(1, dataTypes.float32), message(2, ...extents));
  return [text(1, name), message(2, tensorType)];
}

function littleEndian(values: Float32Array | BigInt64Array): Uint8Array {
  const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT: width } = values;
  const here = new Uint8Array(buffer, byteOffset, byteLength);
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return here;
  const turned = here.slice();
  for (let at = 0; at < byteLength; at += width) turned.subarray(at, at + width).reverse();
  return turned;
}
