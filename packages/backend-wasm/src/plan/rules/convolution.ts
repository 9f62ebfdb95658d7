// Convolution, its gradients, and the matrix product.

import type { ConvolutionAttributes, Node, Shape } from "@fewnorm/tensor";
import { sizeOf } from "@fewnorm/tensor";
import {
  EW_COPY,
  OP_CONV,
  OP_CONV_INPUT_GRAD,
  OP_CONV_WEIGHT_GRAD,
  OP_MATMUL,
  OP_PACK,
  OP_PACK_INPUT_GRAD,
} from "../../opcodes.ts";
import { emitElementwise, wholeOf } from "../elementwise.ts";
import { bytesOf, type Lowering, type Value } from "../lowering.ts";
import {
  type Access,
  type Argument,
  at,
  mapName,
  mapped,
  type Place,
  reads,
  writes,
} from "../program.ts";
import { emitCombine, operand, type Rules } from "./rule.ts";

/** Scratch memory of a thread that a band of rows should fit: half of a second-level cache or less. */
const BAND_BYTES = 160 * 1024;
/** Packed weights up to this size are made at the start of a step, where one barrier serves all. */
const EARLY_BYTES = 1024 * 1024;

interface Sizes {
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
  readonly attributes: ConvolutionAttributes;
}

/** How much a band of rows needs: rows of scratch for `rows` rows of work, bytes for each. */
interface Band {
  readonly workRows: number;
  readonly rowsFor: (rows: number) => number;
  readonly rowBytes: number;
}

/** The largest band that fits, and its scratch memory. */
function bandOf({ workRows, rowsFor, rowBytes }: Band): { band: number; bytes: number } {
  let band = workRows;
  while (band > 1 && rowsFor(band) * rowBytes > BAND_BYTES) band = Math.ceil(band / 2);
  return { band, bytes: rowsFor(band) * rowBytes };
}

/** The arguments that describe a convolution, in the order of assembly/convolve.ts. */
function geometry(low: Lowering, { x, w, y, attributes }: Sizes, band: number): Argument[] {
  const [n = 1, c = 1, h = 1, width = 1] = x;
  const [, o = 1, oh = 1, ow = 1] = y;
  const [, , kh = 1, kw = 1] = w;
  const { stride, padding, groups } = attributes;
  return [
    ...[n, c, h, width, o, oh, ow, kh, kw],
    ...[...stride, ...padding, groups, band],
    at({ buffer: low.scratch, offset: 0 }),
    { shareOf: low.scratch },
  ];
}

/** The band of output rows of the forward and of the weight gradient's pass. */
function forwardBand({ x, w, y, attributes: { stride, groups } }: Sizes) {
  const [, c = 1] = x;
  const [, , kh = 1, kw = 1] = w;
  const [, , oh = 1, ow = 1] = y;
  return bandOf({
    workRows: oh,
    rowsFor: (rows) => (rows - 1) * stride[0] + kh,
    rowBytes: 4 * (c / groups) * ((ow - 1) * stride[1] + kw),
  });
}

/** The band of input rows, divided by the stride, of the input gradient's pass. */
function inputGradBand({ x, w, y, attributes: { stride, padding, groups } }: Sizes) {
  const [, , h = 1, width = 1] = x;
  const [, , kh = 1, kw = 1] = w;
  const [, o = 1] = y;
  const span = (length: number, axis: 0 | 1) =>
    Math.floor((length - 1 + padding[axis]) / stride[axis]) -
    Math.ceil((padding[axis] - stride[axis] + 1) / stride[axis]) +
    1;
  const taps = (kernel: number, axis: 0 | 1) => Math.ceil(kernel / stride[axis]);
  return bandOf({
    workRows: span(h, 0),
    rowsFor: (rows) => rows + taps(kh, 0) - 1,
    rowBytes: 4 * (o / groups) * (span(width, 1) + taps(kw, 1) - 1),
  });
}

/** What threads touch when each treats its share of a value's images. */
export function imagesAccess(value: Value, write: boolean): Access {
  const key = `rows:${value.shape[0] ?? 1}${mapName(value.map)}`;
  const range =
    value.map === undefined
      ? { place: value.place, bytes: bytesOf(value.shape) }
      : wholeOf(value.place);
  return { ...range, key, write };
}

/** Emits a packing instruction, early if the weights are there from the start. */
function emitPack(
  low: Lowering,
  node: Node,
  op: number,
  weights: { readonly node: number; readonly value: Value },
  bytes: number,
  argsAfter: readonly number[],
): Place {
  const packed = low.allocate(bytes);
  const instruction = {
    op,
    args: [at(weights.value.place), at(packed), ...argsAfter],
    accesses: [reads(weights.value.place, bytesOf(weights.value.shape)), writes(packed, bytes)],
    node: node.id,
  };
  const { op: source } = low.graph.nodes[weights.node] as Node;
  const early = (source === "state" || source === "constant") && bytes <= EARLY_BYTES;
  if (early) low.emitFirst(instruction);
  else low.emit(instruction);
  return packed;
}

const blocks = (channels: number): number => 8 * Math.ceil(channels / 8);

function weightsOf(low: Lowering, node: Node, index: number) {
  const id = node.inputs[index] as number;
  return { node: id, value: low.dense(node, low.value(id)) };
}

export const convolutionRules: Rules<"conv2d" | "conv2dInputGrad" | "conv2dWeightGrad" | "matmul"> =
  {
    conv2d(low, node) {
      const { attributes, shape } = node;
      const x = low.spread(node, operand(low, node, 0));
      const weights = weightsOf(low, node, 1);
      const bias = attributes.bias ? low.dense(node, operand(low, node, 2)) : undefined;
      const residual = attributes.residual
        ? low.spread(node, operand(low, node, attributes.bias ? 3 : 2))
        : undefined;
      const sizes = { x: x.shape, w: weights.value.shape, y: shape, attributes };
      const { band, bytes } = forwardBand(sizes);
      low.needScratch(bytes);
      const [o = 1, depth = 1, kh = 1, kw = 1] = sizes.w;
      const { groups } = attributes;
      const k = depth * kh * kw;
      const packedBytes = 4 * groups * blocks(o / groups) * k;
      const packed = emitPack(low, node, OP_PACK, weights, packedBytes, [
        groups,
        o / groups,
        k,
        k,
        1,
      ]);
      const separate = residual !== undefined && residual.place.buffer !== x.place.buffer;
      const out = low.result(node, separate ? [residual] : []);
      low.emit({
        op: OP_CONV,
        args: [
          ...geometry(low, sizes, band),
          ...[at(x.place), mapped(x.map), at(packed), at(bias?.place)],
          ...[at(residual?.place), mapped(residual?.map), at(out.place), mapped(out.map)],
          Number(attributes.relu),
        ],
        accesses: [
          imagesAccess(x, false),
          reads(packed, packedBytes),
          ...(bias === undefined ? [] : [reads(bias.place, bytesOf(bias.shape))]),
          ...(residual === undefined ? [] : [imagesAccess(residual, false)]),
          imagesAccess(out, true),
        ],
        node: node.id,
      });
      return out;
    },

    conv2dInputGrad(low, node) {
      const { attributes, shape } = node;
      const g = low.spread(node, operand(low, node, 0));
      const weights = weightsOf(low, node, 1);
      const sizes = { x: shape, w: weights.value.shape, y: g.shape, attributes };
      const { band, bytes } = inputGradBand(sizes);
      low.needScratch(bytes);
      const [o = 1, inputs = 1, kh = 1, kw = 1] = sizes.w;
      const { groups, stride } = attributes;
      const packedBytes = 4 * groups * blocks(inputs) * kh * kw * (o / groups);
      const packed = emitPack(low, node, OP_PACK_INPUT_GRAD, weights, packedBytes, [
        ...[groups, inputs, o / groups, kh, kw],
        ...stride,
      ]);
      const out = low.result(node);
      low.emit({
        op: OP_CONV_INPUT_GRAD,
        args: [
          ...geometry(low, sizes, band),
          ...[at(g.place), mapped(g.map), at(packed), at(out.place), mapped(out.map)],
        ],
        accesses: [imagesAccess(g, false), reads(packed, packedBytes), imagesAccess(out, true)],
        node: node.id,
      });
      return out;
    },

    conv2dWeightGrad(low, node) {
      const { attributes, shape } = node;
      const x = low.spread(node, operand(low, node, 0));
      const g = low.spread(node, operand(low, node, 1));
      const sizes = { x: x.shape, w: shape, y: g.shape, attributes };
      const { band, bytes } = forwardBand(sizes);
      low.needScratch(bytes);
      const [o = 1, inputs = 1, kh = 1, kw = 1] = shape;
      const rowFloats = 4 * Math.ceil((kw * inputs) / 4);
      const sums = { bytes: 4 * o * kh * rowFloats, place: low.allocate(0) };
      sums.place.buffer.bytes = sums.bytes * low.threads;
      low.emit({
        op: OP_CONV_WEIGHT_GRAD,
        args: [
          ...geometry(low, sizes, band),
          ...[at(x.place), mapped(x.map), at(g.place), mapped(g.map), at(sums.place), sums.bytes],
        ],
        accesses: [
          imagesAccess(x, false),
          imagesAccess(g, false),
          writes(sums.place, sums.bytes * low.threads, "thread"),
        ],
        node: node.id,
      });
      const out = low.result(node);
      emitCombine(low, node, sums, out.place, { rows: o * kh, length: kw * inputs, rowFloats });
      return out;
    },

    matmul(low, node) {
      const { transposeA, transposeB } = node.attributes;
      const [rows = 1, columns = 1] = node.shape;
      const a = operand(low, node, 0);
      const depth = (transposeA ? a.shape[0] : a.shape[1]) ?? 1;
      const left = transposeA ? transposed(low, node, a) : low.dense(node, a);
      const weights = weightsOf(low, node, 1);
      const packedBytes = 4 * blocks(columns) * depth;
      const strides = transposeB ? [depth, 1] : [1, columns];
      const packed = emitPack(low, node, OP_PACK, weights, packedBytes, [
        1,
        columns,
        depth,
        ...strides,
      ]);
      const out = low.result(node);
      low.emit({
        op: OP_MATMUL,
        args: [at(left.place), at(packed), at(out.place), rows, depth, columns],
        accesses: [
          reads(left.place, bytesOf(left.shape)),
          reads(packed, packedBytes),
          writes(out.place, 4 * rows * columns, `quads:${rows}`),
        ],
        node: node.id,
      });
      return out;
    },
  };

/** A matrix with its axes exchanged, as a copy. */
function transposed(low: Lowering, node: Node, value: Value): Value {
  const from = low.dense(node, value);
  const [m = 1, n = 1] = from.shape;
  const shape = [n, m];
  const out = { shape, place: low.allocate(4 * sizeOf(shape)) };
  const bytes = 4 * m * n;
  emitElementwise(low, node, EW_COPY, shape, [
    { place: out.place, bytes, strides: [m, 1] },
    { place: from.place, bytes, strides: [1, n] },
  ]);
  return out;
}
