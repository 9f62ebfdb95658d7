// Convolution and the gradient of its input, each result computed by one thread from the taps of the kernel.

import { sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Coordinates } from "../lowered.ts";
import type { Sizes } from "../sizes.ts";
import {
  convolution,
  type Lowering,
  often,
  once,
  operand,
  pointwise,
  relu as rectified,
  spread,
} from "./lowering.ts";
import {
  backwardReach,
  backwardWindow,
  forwardReach,
  forwardWindow,
  type Geometry,
  geometry,
  inGroup,
  type Reach,
  type ReachOf,
  type Window,
} from "./reach.ts";

/** Kernels of up to so many taps are written out tap by tap. */
const UNROLLED = 9;

/** Where the taps read, and what they multiply. */
interface Taps {
  readonly vertical: ReachOf;
  readonly horizontal: ReachOf;
  readonly window: Window | undefined;
  pixel(channel: string, at: readonly [y: string, x: string]): string;
  weight(channel: string, tap: readonly [ky: string, kx: string]): string;
}

/** Σ over `channels` and the kernel's taps of pixel · weight, where the map is not padding. */
function overTaps(
  e: Emitter,
  total: string,
  { kh, kw }: Geometry,
  channels: number,
  taps: Taps,
): void {
  const { vertical, horizontal, window } = taps;
  if (kh * kw > UNROLLED) {
    e.loop(kh, (ky) => {
      const row = vertical(ky);
      e.loop(kw, (kx) =>
        addTaps(e, total, channels, taps, [{ ky, kx, row, column: horizontal(kx) }]),
      );
    });
    return;
  }
  const columns = Array.from({ length: kw }, (_, kx) => horizontal(String(kx)));
  if (window !== undefined) {
    addWindow(e, total, channels, taps, window, columns, kh);
    return;
  }
  const rows = Array.from({ length: kh }, (_, ky) => vertical(String(ky)));
  addTaps(
    e,
    total,
    channels,
    taps,
    rows.flatMap((row, ky) =>
      columns.map((column, kx) => ({ ky: String(ky), kx: String(kx), row, column })),
    ),
  );
}

interface Tap {
  readonly ky: string;
  readonly kx: string;
  readonly row: Reach;
  readonly column: Reach;
}

/** Taps with sums of their own, which are masked at last. */
function addTaps(
  e: Emitter,
  total: string,
  channels: number,
  { pixel, weight }: Taps,
  taps: readonly Tap[],
): void {
  const sums = new Map<string, string>();
  const masked = taps.map(({ row, column }) => {
    // A sum in each lane for each tap would be too many, where a row has few columns' masks for all lanes.
    const mask = productOf([row.mask, e.hasLanes ? undefined : column.mask]);
    const sum = mask === "" ? total : (sums.get(mask) ?? e.variable("0"));
    if (mask !== "") sums.set(mask, sum);
    return { sum, left: e.hasLanes ? column.mask : undefined };
  });
  e.loop(channels, (channel) => {
    for (const [i, { ky, kx, row, column }] of taps.entries()) {
      const left = pixel(channel, [row.at, column.at]);
      const within = e.name(productOf([left, masked[i]?.left]));
      e.statement(`${masked[i]?.sum} += ${within} * ${weight(channel, [ky, kx])};`);
    }
  });
  for (const [mask, sum] of sums) e.statement(`${total} += ${sum} * ${e.name(mask)};`);
}

/** Pixels of a window's rows, which are masked as they are read. */
function addWindow(
  e: Emitter,
  total: string,
  channels: number,
  { pixel, weight }: Taps,
  { rows, rowOf, lanes }: Window,
  columns: readonly Reach[],
  kh: number,
): void {
  const masks = columns.map((column) =>
    rows.map((row) => {
      const mask = productOf([row.mask, column.mask]);
      return mask === "" ? undefined : e.name(mask);
    }),
  );
  e.loop(channels, (channel) => {
    for (const [kx, column] of columns.entries()) {
      const pixels = rows.map((row, r) =>
        e.name(productOf([pixel(channel, [row.at, column.at]), masks[kx]?.[r]])),
      );
      for (let ky = 0; ky < kh; ky++) {
        const each = Array.from({ length: lanes }, (_, i) => pixels[rowOf(ky, i) ?? -1]);
        const product = `${e.pick(each)} * ${weight(channel, [String(ky), String(kx)])}`;
        e.statement(`${total} += ${product};`);
      }
    }
  });
}

const productOf = (factors: readonly (string | undefined)[]): string =>
  factors.filter((one) => one !== undefined).join(" * ");

/** Into how many parts the channels that are summed are cut, so that there are about so many threads. */
function splitOf({ ins, kh, kw }: Geometry, elements: number, sizes: Sizes): number {
  const { busyThreads, fewestTaps } = sizes;
  let split = 1;
  const fits = (next: number) =>
    ins % next === 0 && (ins / next) * kh * kw >= fewestTaps && elements * next <= busyThreads;
  while (fits(2 * split)) split *= 2;
  return split;
}

export const conv2d: Lowering<"conv2d"> = ({ node, x, sizes }) => {
  const { stride, padding, groups, bias, residual, relu } = node.attributes;
  const [image, weight] = [operand(x, 0), operand(x, 1)];
  const shift = bias ? operand(x, 2) : undefined;
  const skip = residual ? operand(x, bias ? 3 : 2) : undefined;
  const g = geometry(image.shape, weight.shape, node.shape, groups);
  const ends = [
    ...(shift === undefined ? [] : [spread(shift)]),
    ...(skip === undefined ? [] : [once(skip)]),
  ];
  const split = splitOf(g, sizeOf(node.shape), sizes);
  const channels = g.ins / split;
  /** Adds the sum over the channels of a part. */
  const add = (e: Emitter, total: string, part: string, at: Coordinates) => {
    const [n, o, oy, ox] = at as [string, string, string, string];
    const [group] = e.divide(o, g.outs, g.o - 1);
    const vertical: ReachOf = (k) =>
      forwardReach(e, oy, k, stride[0], padding[0], g.kh, g.h, { first: 0, count: g.oh });
    const horizontal: ReachOf = (k) =>
      forwardReach(e, ox, k, stride[1], padding[1], g.kw, g.w, { first: 0, count: g.ow });
    const ofGroup = (j: string) => inGroup(e, part, channels, j);
    overTaps(e, total, g, channels, {
      vertical,
      horizontal,
      window: forwardWindow(e, oy, g, stride[0], padding[0]),
      pixel: (j, pixel) => e.read(image, [n, inGroup(e, group, g.ins, ofGroup(j)), ...pixel]),
      weight: (j, tap) => e.read(weight, [o, ofGroup(j), ...tap]),
    });
  };
  const end = (e: Emitter, total: string, at: Coordinates) => {
    if (skip !== undefined) e.statement(`${total} += ${e.read(skip, at)};`);
    return relu ? e.name(rectified(total)) : total;
  };
  const begin = (e: Emitter, [, o = "0"]: Coordinates) =>
    e.variable(shift === undefined ? "0" : e.read(shift, [o]));
  if (split === 1) {
    return convolution(1, node.shape, [often(image), often(weight), ...ends], (e, at) => {
      const total = begin(e, at);
      add(e, total, "0", at);
      return end(e, total, at);
    });
  }
  const operands = [often(image), often(weight)];
  const parts = convolution(1, [split, ...node.shape], operands, (e, [part = "0", ...at]) => {
    const total = e.variable("0");
    add(e, total, part, at);
    return total;
  });
  return pointwise(node.shape, [spread(parts), ...ends], (e, at) => {
    const total = begin(e, at);
    e.loop(split, (part) => e.statement(`${total} += ${e.read(parts, [part, ...at])};`));
    return end(e, total, at);
  });
};

export const conv2dInputGrad: Lowering<"conv2dInputGrad"> = ({ node, x }) => {
  const { stride, padding, groups } = node.attributes;
  const [g, weight] = [operand(x, 0), operand(x, 1)];
  const s = geometry(node.shape, weight.shape, g.shape, groups);
  return convolution(stride[0], node.shape, [often(g), often(weight)], (e, at) => {
    const [n, c, iy, ix] = at as [string, string, string, string];
    const [group, i] = e.divide(c, s.ins, s.c - 1);
    const total = e.variable("0");
    const vertical: ReachOf = (k) =>
      backwardReach(e, iy, k, stride[0], padding[0], s.kh, [s.h, s.oh]);
    const horizontal: ReachOf = (k) =>
      backwardReach(e, ix, k, stride[1], padding[1], s.kw, [s.w, s.ow]);
    overTaps(e, total, s, s.outs, {
      vertical,
      horizontal,
      window: backwardWindow(e, iy, s, stride[0], padding[0]),
      pixel: (out, pixel) => e.read(g, [n, inGroup(e, group, s.outs, out), ...pixel]),
      weight: (out, tap) => e.read(weight, [inGroup(e, group, s.outs, out), i, ...tap]),
    });
    return total;
  });
};
