// Convolution and its two gradients, each result computed by one thread from the taps of the kernel.

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Coordinates, Lowered } from "../lowered.ts";
import {
  convolution,
  type Lowering,
  loop,
  often,
  once,
  operand,
  pointwise,
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

/** The rows that taps read for lanes side by side, each once for all. */
interface Window {
  readonly rows: readonly Reach[];
  /** Of these, the one under tap `ky` in a lane; there may be none. */
  rowOf(ky: number, lane: number): number | undefined;
  readonly lanes: number;
}

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

/** The rows under the taps of output rows side by side. */
function forwardWindow(
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
function backwardWindow(
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
const inGroup = (e: Emitter, group: string, size: number, channel: string): string =>
  group === "0" ? channel : e.name(`${group} * ${size} + ${channel}`);

/** Taps of all channels of a part: with fewer there is little left to sum. */
const FEWEST_TAPS = 64;

/** Into how many parts the channels that are summed are cut, so that there are about so many threads. */
function splitOf({ ins, kh, kw }: Geometry, elements: number, busyThreads: number): number {
  let split = 1;
  const fits = (next: number) =>
    ins % next === 0 && (ins / next) * kh * kw >= FEWEST_TAPS && elements * next <= busyThreads;
  while (fits(2 * split)) split *= 2;
  return split;
}

export const conv2d: Lowering<"conv2d"> = ({ node, x, busyThreads }) => {
  const { stride, padding, groups, bias, residual, relu } = node.attributes;
  const [image, weight] = [operand(x, 0), operand(x, 1)];
  const shift = bias ? operand(x, 2) : undefined;
  const skip = residual ? operand(x, bias ? 3 : 2) : undefined;
  const g = geometry(image.shape, weight.shape, node.shape, groups);
  const ends = [
    ...(shift === undefined ? [] : [spread(shift)]),
    ...(skip === undefined ? [] : [once(skip)]),
  ];
  const split = splitOf(g, sizeOf(node.shape), busyThreads);
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

/** Elements that keep a GPU busy, of which a thread may compute sixteen. */
const MANY_ELEMENTS = 2 ** 21;

/** Parts of a sum: more would leave more to the last stage. */
const MOST_PARTS = 512;

/** Pixels of a part: with fewer there is little left to sum. */
const FEWEST_PIXELS = 112;

/** What is summed at first: so many images, or one of so many bands of an image's rows. */
function partsOf({ n, oh, ow }: Geometry, weights: number) {
  const wanted = Math.min(
    Math.ceil(MANY_ELEMENTS / weights),
    MOST_PARTS,
    Math.max(1, Math.ceil((n * oh * ow) / FEWEST_PIXELS)),
  );
  const fewest = Math.max(1, Math.floor(n / wanted));
  const images = Math.ceil(n / fewest) > MOST_PARTS ? Math.ceil(n / wanted) : fewest;
  let bands = 1;
  if (images === 1) while (1.5 * n * bands < wanted && bands < oh) bands = nextDivisor(oh, bands);
  return { images, bands, parts: Math.ceil(n / images) * bands };
}

const nextDivisor = (of: number, divisor: number): number => {
  let next = divisor + 1;
  while (of % next !== 0) next++;
  return next;
};

/** In two stages: sums over some images or bands of rows each, then over these. */
export const conv2dWeightGrad: Lowering<"conv2dWeightGrad"> = ({ node, x }) => {
  const { stride, padding, groups } = node.attributes;
  const [image, g] = [operand(x, 0), operand(x, 1)];
  const s = geometry(image.shape, node.shape, g.shape, groups);
  const { images: each, bands, parts } = partsOf(s, sizeOf(node.shape));
  const partial = convolution(1, [parts, ...node.shape], [often(image), often(g)], (e, at) => {
    const [part, o, i, ky, kx] = at as [string, string, string, string, string];
    const [group] = e.divide(o, s.outs, s.o - 1);
    const channel = inGroup(e, group, s.ins, i);
    const total = e.variable("0");
    const [first, band] = e.divide(part, bands, parts - 1);
    e.loop(each, (j) => {
      const n = each === 1 ? first : e.name(`${part} * ${each} + ${j}`);
      const place = { n, o, channel, ky, kx, band };
      const add = () => overPixels(e, total, place);
      if (each * parts === s.n * bands) add();
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
    readonly band: string;
  }

  /** Adds Σ over the pixels of a band of an image's rows of x · g. */
  function overPixels(e: Emitter, total: string, { n, o, channel, ky, kx, band }: Place): void {
    const spans = spansOf(s.ow, stride[1], padding[1], s.kw, s.w);
    const rows = s.oh / bands;
    e.loop(rows, (i) => {
      const oy = bands === 1 ? i : e.name(`${band} * ${rows} + ${i}`);
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
