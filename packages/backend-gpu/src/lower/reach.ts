// Where a convolution's taps read.

import type { Shape } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import { affine } from "./shapes.ts";

/** Where a tap reads along one axis. */
export interface Reach {
  /** Always inside of the map. */
  readonly at: string;
  /** 1 where the tap reads the map and 0 where it reads padding; absent where it never does. */
  readonly mask?: string;
}

export interface Geometry {
  readonly n: number;
  readonly c: number;
  readonly h: number;
  readonly w: number;
  readonly o: number;
  /** Input channels, and output channels, of a group. */
  readonly ins: number;
  readonly outs: number;
  readonly kh: number;
  readonly kw: number;
  readonly oh: number;
  readonly ow: number;
}

type Sizes = [number, number, number, number];

export function geometry(x: Shape, weight: Shape, y: Shape, groups: number): Geometry {
  const [n, c, h, w] = x as Sizes;
  const [o, ins, kh, kw] = weight as Sizes;
  const [, , oh, ow] = y as Sizes;
  return { n, c, h, w, o, ins, outs: o / groups, kh, kw, oh, ow };
}

/** The input pixel under tap `k` (a number or an expression) of output pixel `out`, one of those of `span`. */
export function forwardReach(
  e: Emitter,
  out: string,
  k: string,
  stride: number,
  padding: number,
  taps: number,
  size: number,
  span: Span,
): Reach {
  const at = Number.isNaN(Number(k))
    ? e.name(`${affine(e, out, stride, -padding)} + ${k}`)
    : affine(e, out, stride, Number(k) - padding);
  const first = Number.isNaN(Number(k)) ? 0 : Number(k);
  const last = Number.isNaN(Number(k)) ? taps - 1 : Number(k);
  const low = span.first * stride + first - padding;
  const high = (span.first + span.count - 1) * stride + last - padding;
  return clamped(e, at, low, high, size);
}

/** Output pixels side by side. */
export interface Span {
  readonly first: number;
  readonly count: number;
}

/** Keeps a position between `low` and `high` inside of an axis. */
function clamped(e: Emitter, at: string, low: number, high: number, size: number): Reach {
  if (low >= 0 && high < size) return { at };
  const conditions = [
    ...(low < 0 ? [`${at} >= 0`] : []),
    ...(high >= size ? [`${at} < ${size}`] : []),
  ];
  let inside = at;
  if (low < 0) inside = `Math.max(${inside}, 0)`;
  if (high >= size) inside = `Math.min(${inside}, ${size - 1})`;
  return { at: e.name(inside), mask: e.name(`${conditions.join(" && ")} ? 1 : 0`) };
}

/** The output pixel whose tap `k` reads input pixel `at`. */
export function backwardReach(
  e: Emitter,
  at: string,
  k: string,
  stride: number,
  padding: number,
  taps: number,
  [size, outs]: readonly [number, number],
): Reach {
  const isNumber = !Number.isNaN(Number(k));
  const back = isNumber
    ? affine(e, at, 1, padding - Number(k))
    : e.name(`${affine(e, at, 1, padding)} - ${k}`);
  const [first, last] = isNumber ? [Number(k), Number(k)] : [0, taps - 1];
  const [low, high] = [padding - last, size - 1 + padding - first];
  if (stride === 1) return clamped(e, back, low, high, outs);
  const positive = low < 0 ? e.name(`Math.max(${back}, 0)`) : back;
  const [out, rest] = e.divide(positive, stride, Math.max(high, 1));
  const conditions = [
    `${rest} < 0.5`,
    ...(low < 0 ? [`${back} >= 0`] : []),
    ...(Math.floor(high / stride) >= outs ? [`${out} < ${outs}`] : []),
  ];
  const inside = Math.floor(high / stride) >= outs ? `Math.min(${out}, ${outs - 1})` : out;
  return { at: e.name(inside), mask: e.name(`${conditions.join(" && ")} ? 1 : 0`) };
}

export type ReachOf = (k: string) => Reach;

/** The rows that taps read for lanes side by side, each once for all. */
export interface Window {
  readonly rows: readonly Reach[];
  /** Of these, the one under tap `ky` in a lane; there may be none. */
  rowOf(ky: number, lane: number): number | undefined;
  readonly lanes: number;
}

/** The rows under the taps of output rows side by side. */
export function forwardWindow(
  e: Emitter,
  oy: string,
  { kh, h, oh }: Geometry,
  stride: number,
  padding: number,
): Window | undefined {
  const side = e.sideBySide(oy);
  if (side === undefined) return undefined;
  const { first, count } = side;
  const rows = Array.from({ length: (count - 1) * stride + kh }, (_, r) => {
    const at = affine(e, first, stride, r - padding);
    return clamped(e, at, r - padding, (oh - count) * stride + r - padding, h);
  });
  return { rows, rowOf: (ky, lane) => lane * stride + ky, lanes: count };
}

/** The output rows whose taps read input rows side by side. */
export function backwardWindow(
  e: Emitter,
  iy: string,
  { kh, h, oh }: Geometry,
  stride: number,
  padding: number,
): Window | undefined {
  const side = e.sideBySide(iy);
  // Of rows apart by the stride, it is the same taps that read.
  if (side === undefined || side.count % stride !== 0) return undefined;
  const { first, count } = side;
  const [begin] = e.divide(first, stride, h);
  const low = Math.ceil((padding - (kh - 1)) / stride);
  const high = Math.floor((count - 1 + padding) / stride);
  const rows = Array.from({ length: high - low + 1 }, (_, r) => {
    const back = low + r;
    return clamped(e, affine(e, begin, 1, back), back, (h - count) / stride + back, oh);
  });
  const rowOf = (ky: number, lane: number) => {
    const row = (lane + padding - ky) / stride - low;
    return Number.isInteger(row) ? row : undefined;
  };
  return { rows, rowOf, lanes: count };
}

/** first + channel, first being a group's first channel. */
export const inGroup = (e: Emitter, group: string, size: number, channel: string): string =>
  group === "0" ? channel : e.name(`${group} * ${size} + ${channel}`);
