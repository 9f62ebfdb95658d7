// Moments, normalization and its gradients.

import type { Node, NodeOf } from "@fewnorm/tensor";
import {
  OP_GRAD_SUMS_PARTIAL,
  OP_MOMENTS_COMBINE,
  OP_MOMENTS_PARTIAL,
  OP_NORMALIZE,
  OP_NORMALIZE_INPUT_GRAD,
} from "../../opcodes.ts";
import type { ScaledSums } from "../fusion.ts";
import type { Lowering, Value } from "../lowering.ts";
import { type Access, at, mapped, reads, turnOf, writes } from "../program.ts";
import { emitCombine, imagesAccess, imagesOf, operand, type Rules } from "./rule.ts";

/** Images whose values are averaged together first: enough to be exact, few enough for the cache. */
function blockOf(pixels: number, channels: number): number {
  const enough = Math.ceil(256 / pixels);
  const fitting = Math.floor(65536 / (4 * pixels * channels));
  return Math.max(1, Math.min(enough, fitting));
}

const vectorAccess = (value: Value): Access => reads(value.place, 4 * (value.shape[0] ?? 1));

function vectors(low: Lowering, node: Node, indices: readonly number[]): Value[] {
  return indices.map((index) => low.dense(node, operand(low, node, index)));
}

interface GradSumsOperands {
  readonly g: Value;
  readonly x: Value;
}

function gradSumsOperands(low: Lowering, node: NodeOf<"normalizeGradSums">): GradSumsOperands {
  const [g, x] = [operand(low, node, 0), operand(low, node, 1)];
  return { g: low.spread(node, g), x: low.spread(node, x) };
}

/** Both sums over a gradient; with `scaled`, out = g·scale as well, which may be g if x is not. */
function gradSums(
  low: Lowering,
  node: NodeOf<"normalizeGradSums">,
  { g, x }: GradSumsOperands,
  scaled?: { readonly scale: Value; readonly out: Value },
): Value {
  const [mean] = vectors(low, node, [2]) as [Value];
  const { images, channels, pixels } = imagesOf(x.shape);
  const partial = { bytes: 8 * channels, place: low.allocate(8 * channels * low.threads) };
  low.emit({
    op: OP_GRAD_SUMS_PARTIAL,
    args: [
      ...[at(g.place), mapped(g.map), at(x.place), mapped(x.map), at(mean.place)],
      ...[images, pixels, channels, at(partial.place), partial.bytes],
      ...[at(scaled?.scale.place), at(scaled?.out.place), mapped(scaled?.out.map)],
    ],
    accesses: [
      imagesAccess(g, false),
      imagesAccess(x, false),
      vectorAccess(mean),
      writes(partial.place, partial.bytes * low.threads, "thread"),
      ...(scaled === undefined ? [] : [vectorAccess(scaled.scale), imagesAccess(scaled.out, true)]),
    ],
    node: node.id,
  });
  const out = low.result(node);
  const length = 2 * channels;
  emitCombine(low, node, partial, out.place, { rows: 1, length, rowFloats: length });
  return out;
}

/** out = act((x − mean)·scale + shift + residual), with the node's other operands. `out` may be the residual. */
export function emitNormalize(
  low: Lowering,
  node: NodeOf<"normalize">,
  {
    x,
    residual,
    out,
  }: { readonly x: Value; readonly residual?: Value | undefined; readonly out: Value },
): void {
  const [mean, scale, shift] = vectors(low, node, [1, 2, 3]) as [Value, Value, Value];
  const { images, channels, pixels } = imagesOf(node.shape);
  low.emit({
    op: OP_NORMALIZE,
    args: [
      ...[at(x.place), mapped(x.map), at(mean.place), at(scale.place), at(shift.place)],
      ...[at(residual?.place), mapped(residual?.map), at(out.place), mapped(out.map)],
      ...[images, pixels, channels, Number(node.attributes.relu)],
    ],
    accesses: [
      imagesAccess(x, false),
      ...[mean, scale, shift].map(vectorAccess),
      ...(residual === undefined ? [] : [imagesAccess(residual, false)]),
      imagesAccess(out, true),
    ],
    turn: turnOf(x.map ?? out.map, x.shape[0]),
    node: node.id,
  });
}

/** Defines both. */
function emitScaledSums(low: Lowering, { product, sums }: ScaledSums) {
  const [scale] = vectors(low, product, [2]) as [Value];
  const operands = gradSumsOperands(low, sums);
  const { g, x } = operands;
  const apart = g.place.buffer !== x.place.buffer;
  const out = low.result(product, apart ? [g] : [], Math.min(product.id, sums.id));
  const values = { product: out, sums: gradSums(low, sums, operands, { scale, out }) };
  low.define(product.id, values.product);
  low.define(sums.id, values.sums);
  return values;
}

export const normalizationRules: Rules<
  "moments" | "normalize" | "normalizeGradSums" | "normalizeInputGrad"
> = {
  moments(low, node) {
    const x = low.spread(node, operand(low, node, 0));
    const { images, channels, pixels } = imagesOf(x.shape);
    const partialBytes = 8 * (1 + 2 * channels);
    const partial = low.allocate(partialBytes * low.threads);
    low.needScratch(12 * channels);
    low.emit({
      op: OP_MOMENTS_PARTIAL,
      args: [
        ...[at(x.place), mapped(x.map), images, pixels, channels, blockOf(pixels, channels)],
        ...[at(partial), partialBytes],
        ...[at({ buffer: low.scratch, offset: 0 }), { shareOf: low.scratch }],
      ],
      accesses: [imagesAccess(x, false), writes(partial, partialBytes * low.threads, "thread")],
      node: node.id,
    });
    const out = low.result(node);
    low.emit({
      op: OP_MOMENTS_COMBINE,
      args: [at(partial), partialBytes, low.threads, channels, at(out.place)],
      accesses: [
        reads(partial, partialBytes * low.threads),
        writes(out.place, 8 * channels, "each"),
      ],
      node: node.id,
    });
    return out;
  },

  normalize(low, node) {
    const together = low.analysis.scaledSums.get(node.id);
    if (together !== undefined) return emitScaledSums(low, together).product;
    const x = low.spread(node, operand(low, node, 0));
    const residual = node.attributes.residual ? low.spread(node, operand(low, node, 4)) : undefined;
    const out = low.result(node, residual === undefined ? [x] : [x, residual]);
    emitNormalize(low, node, { x, residual, out });
    return out;
  },

  normalizeGradSums(low, node) {
    const together = low.analysis.scaledSums.get(node.id);
    if (together !== undefined) return emitScaledSums(low, together).sums;
    return gradSums(low, node, gradSumsOperands(low, node));
  },

  normalizeInputGrad(low, node) {
    const g = low.spread(node, operand(low, node, 0));
    const x = low.spread(node, operand(low, node, 1));
    const all = vectors(low, node, [2, 3, 4, 5]);
    const { images, channels, pixels } = imagesOf(node.shape);
    const out = low.result(node, [g, x]);
    low.emit({
      op: OP_NORMALIZE_INPUT_GRAD,
      args: [
        ...[at(g.place), mapped(g.map), at(x.place), mapped(x.map)],
        ...all.map(({ place }) => at(place)),
        ...[at(out.place), mapped(out.map), images, pixels, channels],
      ],
      accesses: [
        imagesAccess(g, false),
        imagesAccess(x, false),
        ...all.map(vectorAccess),
        imagesAccess(out, true),
      ],
      node: node.id,
    });
    return out;
  },
};
