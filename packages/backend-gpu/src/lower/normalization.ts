// Moments, normalization and its gradients, channel by channel over [N, C] or [N, C, H, W].

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import { unflatten } from "../kernel/threads.ts";
import type { Coordinates, Lowered } from "../lowered.ts";
import {
  type Lowering,
  loop,
  once,
  operand,
  pointwise,
  relu as rectified,
  spread,
  view,
} from "./lowering.ts";
import { sums } from "./reduction.ts";

const axesOf = (shape: Shape): number[] =>
  shape.map((_, axis) => axis).filter((axis) => axis !== 1);

/** Elements of a channel whose mean is subtracted before squares are summed. */
const SAMPLES = 16;

/**
 * σ² = E[(x − s)²] − (μ − s)². With s the mean of some elements that lie far apart, the second term is a small part of
 * the first, however large μ is: one pass over x loses no more digits than two would.
 */
export const moments: Lowering<"moments"> = ({ node, x }) => {
  const of = operand(x, 0);
  const [, c = 1] = of.shape;
  const count = sizeOf(of.shape) / c;
  const shift = sampleMean(of, Math.min(SAMPLES, count));
  const centred = (e: Emitter, at: Coordinates) =>
    e.name(`${e.read(of, at)} - ${e.read(shift, [at[1] as string])}`);
  const total = sums({
    over: of.shape,
    axes: axesOf(of.shape),
    operands: [spread(of), spread(shift)],
    terms: [
      centred,
      (e, at) => {
        const value = centred(e, at);
        return `${value} * ${value}`;
      },
    ],
  });
  return pointwise(node.shape, [spread(total), spread(shift)], (e, [which = "0", k = "0"]) => {
    const mean = e.name(`${e.read(total, ["0", k])} / ${count}`);
    return e.choose([
      { when: `${which} < 0.5`, value: () => `${mean} + ${e.read(shift, [k])}` },
      {
        value: () => `Math.max(${e.read(total, ["1", k])} / ${count} - ${mean} * ${mean}, 0)`,
      },
    ]);
  });
};

/** The mean of `samples` elements of each channel, spread evenly over it. */
function sampleMean(of: Lowered, samples: number): Lowered {
  const [n = 1, c = 1, ...map] = of.shape;
  const count = (n * sizeOf(of.shape)) / (n * c);
  // Odd, so that samples do not all lie in one column.
  const step = Math.max(1, Math.floor(count / samples) - ((Math.floor(count / samples) + 1) % 2));
  return loop([c], [spread(of)], (e, [k = "0"]) => {
    const total = e.variable("0");
    e.loop(samples, (i) => {
      const element = step === 1 ? i : e.name(`${i} * ${step}`);
      const [image, pixel] = e.divide(element, sizeOf(map), count);
      e.statement(`${total} += ${e.read(of, [image, k, ...unflatten(e, pixel, map)])};`);
    });
    return e.name(`${total} / ${samples}`);
  });
}

export const normalize: Lowering<"normalize"> = ({ node, x }) => {
  const [of, mean, scale, shift] = [0, 1, 2, 3].map((i) => operand(x, i)) as [
    Lowered,
    Lowered,
    Lowered,
    Lowered,
  ];
  const residual = node.attributes.residual ? operand(x, 4) : undefined;
  const whole =
    residual === undefined
      ? [once(of)]
      : residual === of
        ? [spread(of)]
        : [once(of), once(residual)];
  const operands = [...whole, ...[mean, scale, shift].map(spread)];
  return pointwise(node.shape, operands, (e, at) => {
    const c = [at[1] as string];
    const centred = minus(e, e.read(of, at), e.read(mean, c));
    const scaled = `${centred} * ${e.read(scale, c)} + ${e.read(shift, c)}`;
    const value = e.name(residual === undefined ? scaled : `${scaled} + ${e.read(residual, at)}`);
    return node.attributes.relu ? e.name(rectified(value)) : value;
  });
};

const minus = (e: Emitter, a: string, b: string): string => (b === "0" ? a : e.name(`${a} - ${b}`));

export const normalizeGradSums: Lowering<"normalizeGradSums"> = ({ node, x }) => {
  const [g, of, mean] = [operand(x, 0), operand(x, 1), operand(x, 2)];
  const total = sums({
    over: of.shape,
    axes: axesOf(of.shape),
    operands: [spread(g), spread(of), spread(mean)],
    terms: [
      (e, at) => e.read(g, at),
      (e, at) => `${e.read(g, at)} * ${minus(e, e.read(of, at), e.read(mean, [at[1] as string]))}`,
    ],
  });
  return view(node.shape, once(total), (_, at) => at);
};

export const normalizeInputGrad: Lowering<"normalizeInputGrad"> = ({ node, x }) => {
  const [g, of, gScale, mean, xScale, shift] = [0, 1, 2, 3, 4, 5].map((i) => operand(x, i)) as [
    Lowered,
    Lowered,
    Lowered,
    Lowered,
    Lowered,
    Lowered,
  ];
  const whole = g === of ? [spread(g)] : [once(g), once(of)];
  return pointwise(
    node.shape,
    [...whole, ...[gScale, mean, xScale, shift].map(spread)],
    (e, at) => {
      const c = [at[1] as string];
      const centred = minus(e, e.read(of, at), e.read(mean, c));
      return e.name(
        `${e.read(g, at)} * ${e.read(gScale, c)} + ${centred} * ${e.read(xScale, c)} + ${e.read(shift, c)}`,
      );
    },
  );
};
