// Winograd's F(4 × 4, 3 × 3) as the kernel of a 3 × 3 convolution or of one of its gradients.

import type { Node } from "@fewnorm/tensor";
import {
  OP_COMBINE_WINOGRAD,
  OP_CONV_WINOGRAD,
  OP_CONV_WINOGRAD_WEIGHT_GRAD,
  OP_PACK_WINOGRAD,
  OP_SCALE_WINOGRAD,
} from "../../opcodes.ts";
import { bytesOf, type Lowering, type Value } from "../lowering.ts";
import { type Access, at, mapped, reads, turnOf, writes } from "../program.ts";
import {
  blocks,
  emitPack,
  geometry,
  partsOf,
  type Sizes,
  vectorAccesses,
  type Weights,
} from "./convolution-shared.ts";
import { imagesAccess } from "./rule.ts";

/** Memory for the transformed tiles of a band, which should stay in a second-level cache. */
const TILE_BYTES = 576 * 1024;
/** A tile gives 4 × 4 results for a quarter of the products; edges that are cut off waste some. */
const TILE = 4;
/** Fewer channels than this leave the transforms more work than the products. */
const FEWEST_CHANNELS = 8;
/** The smallest share of useful results among those computed that still pays. */
const LEAST_USE = 0.5;

const tilesAlong = (length: number): number => Math.ceil(length / TILE);
/** The 36 planes of the transformed domain, apart so that they do not share a cache set: `planeBytes`. */
const planesBytes = (rows: number, columns: number): number => 36 * (4 * rows * columns + 64);
const roundUp = (value: number, unit: number): number => unit * Math.ceil(value / unit);

/** Whether Winograd's algorithm can compute a convolution of these sizes, faster than the direct kernel. */
export function suitsWinograd({ x, w, y, attributes }: Sizes): boolean {
  const { stride, padding, groups } = attributes;
  const [, c = 1] = x;
  const [o = 1, , kh = 1, kw = 1] = w;
  const [, , oh = 1, ow = 1] = y;
  if (kh !== 3 || kw !== 3 || groups !== 1) return false;
  if (stride.some((step) => step !== 1) || padding.some((pixels) => pixels < 0 || pixels > 2))
    return false;
  if (Math.min(c, o) < FEWEST_CHANNELS) return false;
  const computed = TILE * TILE * tilesAlong(oh) * tilesAlong(ow);
  return oh * ow >= LEAST_USE * computed;
}

/**
 * The strips (rows of tiles) of a band, of which there are so many shares, and a thread's scratch memory. `floats`
 * counts the channels of both transformed operands of a tile.
 */
function bandOf(
  low: Lowering,
  { x, y }: Sizes,
  floats: number,
  shares = low.threads,
  tileBytes = TILE_BYTES,
) {
  const [images = 1, c = 1, , width = 1] = x;
  const [, o = 1, oh = 1, ow = 1] = y;
  const across = tilesAlong(ow);
  const stripBytes = 36 * 4 * across * floats;
  const most = Math.ceil((images * tilesAlong(oh)) / shares);
  const band = Math.max(1, Math.min(most, Math.floor(tileBytes / stripBytes)));
  const lines = 6 * 4 * ((across * 4 + 2) * c + across * 4 * o + 16);
  const edges = 4 * Math.max(width * c, ow * o) + 4 * 4 * 6 * across * roundUp(o, 8);
  const planes = planesBytes(roundUp(band * across, 4), floats) + 36 * 64;
  low.needScratch(lines + edges + planes + 1024);
  return band;
}

/** Threads divide strips: only where that is a division of images are the images a thread's own. */
function stripsAccess(low: Lowering, value: Value, write: boolean): Access {
  const access = imagesAccess(value, write);
  const whole = (value.shape[0] ?? 1) % low.threads === 0;
  return whole ? access : { ...access, key: "" };
}

/** What a Winograd convolution computes with. */
export interface WinogradConvolution {
  readonly x: Value;
  /** Packed by `emitWinogradPack`. */
  readonly weights: Access;
  readonly scale?: Value | undefined;
  readonly bias?: Value | undefined;
  readonly residual?: Value | undefined;
  /** Results are kept where this is positive. */
  readonly mask?: Value | undefined;
  readonly out: Value;
  readonly relu: boolean;
}

/** Transforms and packs weights [O, I, 3, 3] for the convolution, or turned round for its input gradient. */
export function emitWinogradPack(
  low: Lowering,
  node: Node,
  weights: Weights,
  use: "forward" | "inputGrad",
): Access {
  const [o = 1, i = 1] = weights.value.shape;
  const [channels, depth] = use === "forward" ? [o, i] : [i, o];
  const bytes = planesBytes(blocks(channels), depth);
  const strides = use === "forward" ? [9 * i, 1, i] : [1, 9 * i, -i];
  const first = use === "forward" ? 0 : 8 * i;
  const args = [channels, depth, ...strides, ...(use === "forward" ? [0] : [])];
  // The forward kernel multiplies its results; the input gradient's depends on the factors of what it takes.
  const scaled = use === "inputGrad";
  const place = emitPack(low, node, OP_PACK_WINOGRAD, weights, bytes, args, {
    firstFloat: first,
    scaled,
  });
  return reads(place, bytes);
}

/** The same for the input gradient where weights are packed without their scale, too: what is packed is scaled. */
export function emitScaledPack(
  low: Lowering,
  node: Node,
  weights: Weights & { readonly scale: Value },
): Access {
  const [o = 1, i = 1] = weights.value.shape;
  const plain = { ...weights, scale: undefined, scaleNode: undefined };
  const from = emitWinogradPack(low, node, plain, "inputGrad");
  const name = [OP_SCALE_WINOGRAD, weights.node, weights.scaleNode].join();
  const known = low.packs.get(name);
  if (known !== undefined) return { ...from, place: known };
  const place = low.allocate(from.bytes);
  low.packs.set(name, place);
  low.emit({
    op: OP_SCALE_WINOGRAD,
    args: [at(from.place), at(place), i, o, at(weights.scale.place)],
    accesses: [from, ...vectorAccesses(weights.scale), writes(place, from.bytes)],
    node: node.id,
  });
  return { ...from, place };
}

export function emitWinograd(
  low: Lowering,
  node: Node,
  sizes: Sizes,
  convolution: WinogradConvolution,
): void {
  const { x, weights, scale, bias, residual, mask, out, relu } = convolution;
  const [, c = 1] = sizes.x;
  const [, o = 1] = sizes.y;
  const band = bandOf(low, sizes, roundUp(c, 4) + roundUp(o, 8));
  low.emit({
    op: OP_CONV_WINOGRAD,
    args: [
      ...geometry(low, sizes, band),
      ...[at(x.place), mapped(x.map), at(weights.place), at(scale?.place), at(bias?.place)],
      ...[at(residual?.place), mapped(residual?.map), at(out.place), mapped(out.map)],
      ...[Number(relu), at(mask?.place), mapped(mask?.map)],
    ],
    accesses: [
      stripsAccess(low, x, false),
      weights,
      ...vectorAccesses(scale, bias),
      ...(residual === undefined ? [] : [stripsAccess(low, residual, false)]),
      ...(mask === undefined ? [] : [stripsAccess(low, mask, false)]),
      stripsAccess(low, out, true),
    ],
    turn: turnOf(x.map ?? out.map, x.shape[0]),
    node: node.id,
  });
}

/** Whether each thread sums its filters over all tiles, rather than all filters over its tiles. */
function divideFilters(low: Lowering, { w, y }: Sizes): boolean {
  const [o = 1] = w;
  const [images = 1, , oh = 1, ow = 1] = y;
  const tiles = images * tilesAlong(oh) * tilesAlong(ow);
  return low.threads > 1 && o % (4 * low.threads) === 0 && tiles <= o;
}

/** The weight gradient: sums in the transformed domain, of each thread's share, then their sum transformed back. */
export function emitWinogradWeightGrad(
  low: Lowering,
  node: Node,
  sizes: Sizes,
  operands: { readonly x: Value; readonly g: Value },
): Value {
  const { x, g } = operands;
  const [o = 1, c = 1] = sizes.w;
  const [rows, columns] = [roundUp(o, 4), roundUp(c, 4)];
  const bytes = planesBytes(rows, columns);
  const filters = divideFilters(low, sizes);
  // The sums are read and written for each band: where they exceed the cache, its tiles may as well.
  const tileBytes = Math.max(TILE_BYTES, bytes / 2);
  const band = bandOf(low, sizes, rows + columns, filters ? 1 : low.threads, tileBytes);
  const strips = (sizes.x[0] ?? 1) * tilesAlong(sizes.y[2] ?? 1);
  const { parts, tail } = filters
    ? { parts: 1, tail: 0 }
    : partsOf(low, sizes, strips, band, bytes);
  const all = filters ? 1 : low.threads * parts;
  const sums = low.allocate(bytes * all);
  low.emit({
    op: OP_CONV_WINOGRAD_WEIGHT_GRAD,
    args: [
      ...geometry(low, sizes, band),
      ...[at(x.place), mapped(x.map), at(g.place), mapped(g.map), at(sums), bytes],
      ...[parts, tail, Number(filters)],
    ],
    accesses: filters
      ? [
          { ...imagesAccess(x, false), key: "" },
          { ...imagesAccess(g, false), key: "" },
          writes(sums, bytes, `rows:${o}`),
        ]
      : [
          stripsAccess(low, x, false),
          stripsAccess(low, g, false),
          writes(sums, bytes * all, "thread"),
        ],
    turn: filters ? undefined : turnOf(x.map ?? g.map, x.shape[0]),
    node: node.id,
  });
  const out = low.result(node);
  low.emit({
    op: OP_COMBINE_WINOGRAD,
    args: [at(sums), bytes, all, o, c, at(out.place)],
    accesses: [
      writes(sums, bytes * all, filters ? `rows:${o}` : ""),
      writes(out.place, bytesOf(node.shape), `rows:${o}`),
    ],
    node: node.id,
  });
  return out;
}
