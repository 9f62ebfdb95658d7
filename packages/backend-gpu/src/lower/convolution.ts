// Convolution and its two gradients, each result computed by one thread from the taps of the kernel.

import { type ConvolutionAttributes, type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Lowered } from "../lowered.ts";
import {
  convolution,
  type Lowering,
  loop,
  often,
  once,
  operand,
  relu as rectified,
  spread,
  view,
} from "./lowering.ts";
import { affine } from "./shapes.ts";

/** Kernels of up to so many taps are written out tap by tap. */
const UNROLLED = 9;

/** Where a tap reads along one axis. */
interface Reach {
  /** Always inside of the map. */
  readonly at: string;
  /** 1 where the tap reads the map and 0 where it reads padding; absent where it never does. */
  readonly mask?: string;
}

interface Geometry {
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

function geometry(x: Shape, weight: Shape, y: Shape, groups: number): Geometry {
  const [n, c, h, w] = x as Sizes;
  const [o, ins, kh, kw] = weight as Sizes;
  const [, , oh, ow] = y as Sizes;
  return { n, c, h, w, o, ins, outs: o / groups, kh, kw, oh, ow };
}

/** The input pixel under tap `k` (a number or an expression) of output pixel `out`, one of those of `span`. */
function forwardReach(
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
interface Span {
  readonly first: number;
  readonly count: number;
}

/** An axis of the result: what all taps read inside of the map, and what lies before and behind. */
function spansOf(
  outs: number,
  stride: number,
  padding: number,
  taps: number,
  size: number,
): Span[] {
  const first = Math.min(Math.ceil(padding / stride), outs);
  const end = Math.min(Math.floor((size + padding - taps) / stride) + 1, outs);
  const ends = first < end ? [first, end, outs] : [outs];
  const spans = ends.map((to, i) => {
    const from = ends[i - 1] ?? 0;
    return { first: from, count: to - from };
  });
  return spans.filter(({ count }) => count > 0);
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
function backwardReach(
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

type ReachOf = (k: string) => Reach;

/** Σ over `channels` and the kernel's taps of left · right, where the map is not padding. */
function overTaps(
  e: Emitter,
  total: string,
  { kh, kw }: Geometry,
  channels: number,
  [vertical, horizontal]: readonly [ReachOf, ReachOf],
  factors: (
    channel: string,
    tap: readonly [ky: string, kx: string],
    at: readonly [y: string, x: string],
  ) => readonly [left: string, right: string],
): void {
  /** Taps with sums of their own, which are masked at last. */
  const add = (taps: readonly { ky: string; kx: string; row: Reach; column: Reach }[]) => {
    const sums = new Map<string, string>();
    const masked = taps.map(({ row, column }) => {
      // A sum in each lane for each tap would be too many, where a row has few columns' masks for all lanes.
      const masks = [row.mask, e.hasLanes ? undefined : column.mask];
      const mask = masks.filter((one) => one !== undefined).join(" * ");
      const sum = mask === "" ? total : (sums.get(mask) ?? e.variable("0"));
      if (mask !== "") sums.set(mask, sum);
      return { sum, left: e.hasLanes ? column.mask : undefined };
    });
    e.loop(channels, (channel) => {
      for (const [i, { ky, kx, row, column }] of taps.entries()) {
        const [left, right] = factors(channel, [ky, kx], [row.at, column.at]);
        const mask = masked[i]?.left;
        const within = mask === undefined ? left : e.name(`${left} * ${mask}`);
        e.statement(`${masked[i]?.sum} += ${within} * ${right};`);
      }
    });
    for (const [mask, sum] of sums) e.statement(`${total} += ${sum} * ${e.name(mask)};`);
  };
  if (kh * kw <= UNROLLED) {
    const columns = Array.from({ length: kw }, (_, kx) => horizontal(String(kx)));
    const rows = Array.from({ length: kh }, (_, ky) => vertical(String(ky)));
    add(
      rows.flatMap((row, ky) =>
        columns.map((column, kx) => ({ ky: String(ky), kx: String(kx), row, column })),
      ),
    );
    return;
  }
  e.loop(kh, (ky) => {
    const row = vertical(ky);
    e.loop(kw, (kx) => add([{ ky, kx, row, column: horizontal(kx) }]));
  });
}

/** first + channel, first being a group's first channel. */
const inGroup = (e: Emitter, group: string, size: number, channel: string): string =>
  group === "0" ? channel : e.name(`${group} * ${size} + ${channel}`);

export const conv2d: Lowering<"conv2d"> = ({ node, x }) => {
  const { stride, padding, groups, bias, residual, relu } = node.attributes;
  const [image, weight] = [operand(x, 0), operand(x, 1)];
  const shift = bias ? operand(x, 2) : undefined;
  const skip = residual ? operand(x, bias ? 3 : 2) : undefined;
  const g = geometry(image.shape, weight.shape, node.shape, groups);
  const operands = [
    often(image),
    often(weight),
    ...(shift === undefined ? [] : [spread(shift)]),
    ...(skip === undefined ? [] : [once(skip)]),
  ];
  return convolution(node.shape, operands, (e, at) => {
    const [n, o, oy, ox] = at as [string, string, string, string];
    const [group] = e.divide(o, g.outs, g.o - 1);
    const total = e.variable(shift === undefined ? "0" : e.read(shift, [o]));
    const vertical: ReachOf = (k) =>
      forwardReach(e, oy, k, stride[0], padding[0], g.kh, g.h, { first: 0, count: g.oh });
    const horizontal: ReachOf = (k) =>
      forwardReach(e, ox, k, stride[1], padding[1], g.kw, g.w, { first: 0, count: g.ow });
    overTaps(e, total, g, g.ins, [vertical, horizontal], (i, tap, at) => [
      e.read(image, [n, inGroup(e, group, g.ins, i), ...at]),
      e.read(weight, [o, i, ...tap]),
    ]);
    if (skip !== undefined) e.statement(`${total} += ${e.read(skip, at)};`);
    return relu ? e.name(rectified(total)) : total;
  });
};

export const conv2dInputGrad: Lowering<"conv2dInputGrad"> = ({ node, x }) => {
  const { stride, padding, groups } = node.attributes;
  const [g, weight] = [operand(x, 0), operand(x, 1)];
  const s = geometry(node.shape, weight.shape, g.shape, groups);
  return convolution(node.shape, [often(g), often(weight)], (e, at) => {
    const [n, c, iy, ix] = at as [string, string, string, string];
    const [group, i] = e.divide(c, s.ins, s.c - 1);
    const total = e.variable("0");
    const vertical: ReachOf = (k) =>
      backwardReach(e, iy, k, stride[0], padding[0], s.kh, [s.h, s.oh]);
    const horizontal: ReachOf = (k) =>
      backwardReach(e, ix, k, stride[1], padding[1], s.kw, [s.w, s.ow]);
    overTaps(e, total, s, s.outs, [vertical, horizontal], (out, tap, at) => {
      const o = inGroup(e, group, s.outs, out);
      return [e.read(g, [n, o, ...at]), e.read(weight, [o, i, ...tap])];
    });
    return total;
  });
};

/** Elements that keep a GPU busy. */
const MANY_ELEMENTS = 2 ** 18;

/** In two stages: sums over some images each, then over these. */
export const conv2dWeightGrad: Lowering<"conv2dWeightGrad"> = ({ node, x }) => {
  const { stride, padding, groups } = node.attributes;
  const [image, g] = [operand(x, 0), operand(x, 1)];
  const s = geometry(image.shape, node.shape, g.shape, groups);
  const wanted = Math.ceil(MANY_ELEMENTS / sizeOf(node.shape));
  const each = Math.max(1, Math.floor(s.n / wanted));
  const parts = Math.ceil(s.n / each);
  const partial = convolution([parts, ...node.shape], [often(image), often(g)], (e, at) => {
    const [part, o, i, ky, kx] = at as [string, string, string, string, string];
    const [group] = e.divide(o, s.outs, s.o - 1);
    const channel = inGroup(e, group, s.ins, i);
    const total = e.variable("0");
    e.loop(each, (j) => {
      const n = each === 1 ? part : e.name(`${part} * ${each} + ${j}`);
      const add = () => overPixels(e, total, s, { stride, padding }, { n, o, channel, ky, kx });
      if (each * parts === s.n) add();
      else e.when(`${n} < ${s.n}`, add);
    });
    return total;
  });

  interface Place {
    readonly n: string;
    readonly o: string;
    readonly channel: string;
    readonly ky: string;
    readonly kx: string;
  }

  /** Adds Σ over an image's pixels of x · g. */
  function overPixels(
    e: Emitter,
    total: string,
    s: Geometry,
    { stride, padding }: Pick<ConvolutionAttributes, "stride" | "padding">,
    { n, o, channel, ky, kx }: Place,
  ): void {
    const spans = spansOf(s.ow, stride[1], padding[1], s.kw, s.w);
    e.loop(s.oh, (oy) => {
      const all = { first: 0, count: s.oh };
      const row = forwardReach(e, oy, ky, stride[0], padding[0], s.kh, s.h, all);
      const sum = row.mask === undefined ? total : e.variable("0");
      for (const span of spans) {
        e.loop(span.count, (i) => {
          const ox = affine(e, i, 1, span.first);
          const column = forwardReach(e, ox, kx, stride[1], padding[1], s.kw, s.w, span);
          const pixel = e.read(image, [n, channel, row.at, column.at]);
          const masked = column.mask === undefined ? pixel : e.name(`${pixel} * ${column.mask}`);
          e.statement(`${sum} += ${masked} * ${e.read(g, [n, o, oy, ox])};`);
        });
      }
      if (row.mask !== undefined) e.statement(`${total} += ${sum} * ${row.mask};`);
    });
  }

  return sumOverFirst(partial);
};

function sumOverFirst(x: Lowered): Lowered {
  const [count = 1, ...shape] = x.shape;
  if (count === 1) return view(shape, once(x), (_, at) => ["0", ...at]);
  return loop(shape, [spread(x)], (e, at) => {
    const total = e.variable("0");
    e.loop(count, (i) => e.statement(`${total} += ${e.read(x, [i, ...at])};`));
    return total;
  });
}
