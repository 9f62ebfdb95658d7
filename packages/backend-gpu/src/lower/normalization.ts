// Moments, normalization and its gradients, channel by channel over [N, C] or [N, C, H, W].

import { type Shape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import { unflatten } from "../kernel/threads.ts";
import type { Lowered } from "../lowered.ts";
import {
  type Lowering,
  loop,
  once,
  operand,
  pointwise,
  relu as rectified,
  spread,
} from "./lowering.ts";
import { sums } from "./reduction.ts";

const axesOf = (shape: Shape): number[] =>
  shape.map((_, axis) => axis).filter((axis) => axis !== 1);

/** Elements of a channel whose mean is subtracted before squares are summed. */
const SAMPLES = 4;

/**
 * σ² = E[(x − s)²] − (μ − s)². With s the mean of some elements that lie far apart, the second term is small beside
 * the first, however large μ is: one pass over x loses hardly more digits than two would.
 */
export const moments: Lowering<"moments"> = ({ node, x }) => {
  const of = operand(x, 0);
  const [, c = 1] = of.shape;
  const count = sizeOf(of.shape) / c;
  const { operands, total } = sums({
    over: of.shape,
    axes: axesOf(of.shape),
    operands: [spread(of)],
    count: 2,
    begin(e, [k = "0"]) {
      const middle = sampleMean(e, of, k);
      return (which, at) => {
        const centred = minus(e, e.read(of, at), middle);
        return which.map((one) => oneOf(one, centred, `${centred} * ${centred}`));
      };
    },
  });
  return loop(node.shape, [...operands, spread(of)], (e, [which = "0", k = "0"]) => {
    const meanOf = (sum: string) => e.name(`${sum} / ${count}`);
    const mean = (sum: string) => e.name(`${meanOf(sum)} + ${sampleMean(e, of, k)}`);
    if (which === "0") return mean(total(e, ["0"], [k])[0] as string);
    const [sum = "", squares = ""] = total(e, ["0", "1"], [k]);
    const variance = `Math.max(${squares} / ${count} - ${meanOf(sum)} * ${meanOf(sum)}, 0)`;
    return e.name(which === "1" ? variance : oneOf(which, mean(sum), variance));
  });
};

/** The first or the second of two expressions, without a branch: both are computed. */
function oneOf(which: string, first: string, second: string): string {
  const known = Number(which);
  if (!Number.isNaN(known)) return known === 0 ? first : second;
  return `(${which} < 0.5 ? ${first} : ${second})`;
}

/** The mean of some elements of a channel, spread evenly over it. */
function sampleMean(e: Emitter, of: Lowered, channel: string): string {
  const [n = 1, , ...map] = of.shape;
  const count = n * sizeOf(map);
  const samples = Math.min(SAMPLES, count);
  // Odd, so that samples do not all lie in one column.
  const step = Math.max(1, Math.floor(count / samples) - 1 + (Math.floor(count / samples) % 2));
  const elements = Array.from({ length: samples }, (_, i) => {
    const [image, pixel] = e.divide(String(i * step), sizeOf(map), count);
    return e.read(of, [image, channel, ...unflatten(e, pixel, map)]);
  });
  return e.name(`(${elements.join(" + ")}) / ${samples}`);
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
  const { operands, total } = sums({
    over: of.shape,
    axes: axesOf(of.shape),
    operands: [spread(g), spread(of), spread(mean)],
    count: 2,
    begin: (e) => (which, at) => {
      const centred = minus(e, e.read(of, at), e.read(mean, [at[1] as string]));
      const gradient = e.read(g, at);
      return which.map((one) => `${gradient} * ${oneOf(one, "1", centred)}`);
    },
  });
  return loop(
    node.shape,
    operands,
    (e, [which = "0", k = "0"]) => total(e, [which], [k])[0] as string,
  );
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
