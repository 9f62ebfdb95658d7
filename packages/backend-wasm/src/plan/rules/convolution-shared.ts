// What the rules of convolutions share: sizes, bands of rows, packed weights.

import type { ConvolutionAttributes, Node, Shape } from "@fewnorm/tensor";
import { bytesOf, type Lowering, type Value } from "../lowering.ts";
import { type Argument, at, type Place, reads, writes } from "../program.ts";

/** Scratch memory of a thread that a band of rows should fit: half of a second-level cache or less. */
const BAND_BYTES = 160 * 1024;
/** Packed weights up to this size are made at the start of a step, where one barrier serves all. */
const EARLY_BYTES = 1024 * 1024;

export interface Sizes {
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
export function geometry(low: Lowering, { x, w, y, attributes }: Sizes, band: number): Argument[] {
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
export function forwardBand({ x, w, y, attributes: { stride, groups } }: Sizes) {
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
export function inputGradBand({ x, w, y, attributes: { stride, padding, groups } }: Sizes) {
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

/** A dense value of weights, and the node that it comes from. */
export interface Weights {
  readonly node: number;
  readonly value: Value;
}

/**
 * Emits a packing instruction, early if the weights are there from the start. It reads from the weights'
 * `firstFloat` on.
 */
export function emitPack(
  low: Lowering,
  node: Node,
  op: number,
  weights: Weights,
  bytes: number,
  argsAfter: readonly number[],
  firstFloat = 0,
): Place {
  const packed = low.allocate(bytes);
  const { buffer, offset } = weights.value.place;
  const instruction = {
    op,
    args: [at({ buffer, offset: offset + 4 * firstFloat }), at(packed), ...argsAfter],
    accesses: [reads(weights.value.place, bytesOf(weights.value.shape)), writes(packed, bytes)],
    node: node.id,
  };
  const { op: source } = low.graph.nodes[weights.node] as Node;
  // A constant of one number may lie in the workspace, where the plan fills it in.
  const there = (source === "state" || source === "constant") && buffer.kind !== "workspace";
  const early = there && bytes <= EARLY_BYTES;
  if (early) low.emitFirst(instruction);
  else low.emit(instruction);
  return packed;
}

export const blocks = (channels: number): number => 8 * Math.ceil(channels / 8);

export function weightsOf(low: Lowering, node: Node, index: number): Weights {
  const id = node.inputs[index] as number;
  return { node: id, value: low.dense(node, low.value(id)) };
}
