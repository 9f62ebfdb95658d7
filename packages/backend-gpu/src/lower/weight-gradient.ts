// The gradient of a convolution's weights.

import { sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Lowered } from "../lowered.ts";
import type { Sizes } from "../sizes.ts";
import {
  convolution,
  type Lowering,
  loop,
  often,
  once,
  operand,
  spread,
  view,
} from "./lowering.ts";
import { forwardReach, type Geometry, geometry, inGroup, type Span } from "./reach.ts";
import { affine } from "./shapes.ts";

/** Elements that keep a GPU busy, of which a thread may compute sixteen. */
const MANY_ELEMENTS = 2 ** 21;

/** Parts of a sum: more would leave more to the last stage. */
const MOST_PARTS = 512;

/** What is summed at first: so many images, or one of so many bands of an image's rows. */
function partsOf({ n, oh, ow }: Geometry, weights: number, { fewestPixels }: Sizes) {
  const wanted = Math.min(
    Math.ceil(MANY_ELEMENTS / weights),
    MOST_PARTS,
    Math.max(1, Math.ceil((n * oh * ow) / fewestPixels)),
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
export const conv2dWeightGrad: Lowering<"conv2dWeightGrad"> = ({ node, x, sizes }) => {
  const { stride, padding, groups } = node.attributes;
  const [image, g] = [operand(x, 0), operand(x, 1)];
  const s = geometry(image.shape, node.shape, g.shape, groups);
  const { images: each, bands, parts } = partsOf(s, sizeOf(node.shape), sizes);
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
