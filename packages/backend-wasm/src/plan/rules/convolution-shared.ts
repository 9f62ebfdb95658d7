// What the rules of convolutions share: sizes, bands of rows, packed weights.

import type { ConvolutionAttributes, Node, Shape } from "@fewnorm/tensor";
import { OP_PACK } from "../../opcodes.ts";
import { LASTING_BYTES } from "../analysis.ts";
import { bytesOf, type Lowering, type Value } from "../lowering.ts";
import { type Access, type Argument, at, type Place, reads, writes } from "../program.ts";

/** Scratch memory of a thread that a band of rows should fit: half of a second-level cache or less. */
const BAND_BYTES = 160 * 1024;

export interface Sizes {
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
  readonly attributes: ConvolutionAttributes;
}

/** Whether each channel has a filter of its own, and a kernel of its own fits (assembly/depthwise.ts). */
export function isDepthwise({ x, y, attributes: { groups } }: Sizes): boolean {
  return groups === x[1] && groups === y[1] && groups % 8 === 0;
}

/** Packs the filters of a depthwise convolution for all of its kernels. */
export function emitDepthwisePack(low: Lowering, node: Node, weights: Weights): Place {
  const [channels = 1, , kh = 1, kw = 1] = weights.value.shape;
  const taps = kh * kw;
  const args = [1, channels, taps, taps, 1];
  return emitPack(low, node, OP_PACK, weights, 4 * channels * taps, args);
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

/** How many tails a share of a weight gradient has at most, and how much of it each is. */
const TAILS = 4;
const TAIL_SHARE = 1 / 16;
/** The sums of all parts together, which one pass has to add up. */
const SUMS_BYTES = 1024 * 1024;
/** Multiply-adds of a thread's share below which no thread lags far behind. */
const DIVIDED_PRODUCTS = 2 ** 22;

/**
 * How a thread's share of a weight gradient is divided, see `partOf` in assembly/sync.ts: how many parts, and how many
 * of the `units` (images, or strips of them, in bands) a tail has.
 */
export function partsOf(
  low: Lowering,
  { x, w, y }: Sizes,
  units: number,
  band: number,
  sumsBytes: number,
): { readonly parts: number; readonly tail: number } {
  const { threads } = low;
  const [images = 1] = x;
  const [, , oh = 1, ow = 1] = y;
  const products = (w.reduce((a, b) => a * b, 1) * images * oh * ow) / threads;
  const share = Math.floor((units / threads) * TAIL_SHARE);
  const tails = Math.min(TAILS, Math.floor(SUMS_BYTES / (threads * sumsBytes)) - 1);
  if (threads === 1 || products < DIVIDED_PRODUCTS || share === 0 || tails < 1)
    return { parts: 1, tail: 0 };
  return { parts: 1 + tails, tail: share > band ? share - (share % band) : share };
}

/** A dense value of weights, the node that it comes from, and factors for the results' channels [O] with their name. */
export interface Weights {
  readonly node: number;
  readonly value: Value;
  readonly scale: Value | undefined;
  readonly scaleNode: number | string | undefined;
}

/**
 * Emits a packing instruction, unless there is the same already: of weights that are there from the start at the start,
 * where threads wait once for all of them, and of those that last once for many runs. It reads from the weights'
 * `firstFloat` on; with `scaled` the arguments end with the weights' scale.
 */
export function emitPack(
  low: Lowering,
  node: Node,
  op: number,
  weights: Weights,
  bytes: number,
  argsAfter: readonly number[],
  { firstFloat = 0, scaled = false }: { firstFloat?: number; scaled?: boolean } = {},
): Place {
  const { value } = weights;
  const scale = scaled ? weights.scale : undefined;
  const { buffer, offset } = value.place;
  const from = { buffer, offset: offset + 4 * firstFloat };
  const name = [op, weights.node, ...argsAfter, scaled ? weights.scaleNode : undefined];
  const known = low.packs.get(name.join());
  if (known !== undefined) return known;
  const packed = low.allocate(bytes);
  low.packs.set(name.join(), packed);
  const instruction = {
    op,
    args: [at(from), at(packed), ...argsAfter, ...(scaled ? [at(scale?.place)] : [])],
    accesses: [
      reads(value.place, bytesOf(value.shape)),
      ...(scale === undefined ? [] : [reads(scale.place, bytesOf(scale.shape))]),
      writes(packed, bytes),
    ],
    node: node.id,
  };
  const { op: source } = low.graph.nodes[weights.node] as Node;
  // A constant of one number may lie in the workspace, where the plan fills it in.
  const there = (source === "state" || source === "constant") && buffer.kind !== "workspace";
  const small = bytes <= LASTING_BYTES;
  if (
    small &&
    lasts(low, weights.node, value) &&
    (!scale || lasts(low, weights.scaleNode, scale))
  ) {
    low.emitLasting(instruction);
  } else if (small && there && scale === undefined) low.emitFirst(instruction);
  else low.emit(instruction);
  return packed;
}

/** Whether a node's value stays from run to run where it lies. */
function lasts(low: Lowering, node: Weights["scaleNode"], { place: { buffer } }: Value): boolean {
  const there = buffer.kind !== "workspace" || buffer.fetched;
  return there && typeof node === "number" && low.analysis.lasting.has(node);
}

/** Reads of vectors with an element for each channel. */
export function vectorAccesses(...vectors: readonly (Value | undefined)[]): Access[] {
  return vectors.flatMap((vector) =>
    vector === undefined ? [] : [reads(vector.place, bytesOf(vector.shape))],
  );
}

export const blocks = (channels: number): number => 8 * Math.ceil(channels / 8);

export function weightsOf(low: Lowering, node: Node, index: number): Weights {
  const id = node.inputs[index] as number;
  const product = low.analysis.scaled.get(id);
  const { scale, ...value } = low.value(id);
  return {
    node: product?.weights ?? id,
    value: low.dense(node, value),
    scale: scale && low.dense(node, scale),
    scaleNode: product?.scale,
  };
}
