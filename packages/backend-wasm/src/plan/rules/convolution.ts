// Convolution and its gradients: which kernel, and its instructions.

import {
  OP_CONV,
  OP_CONV_INPUT_GRAD,
  OP_CONV_WEIGHT_GRAD,
  OP_PACK,
  OP_PACK_INPUT_GRAD,
} from "../../opcodes.ts";
import { bytesOf } from "../lowering.ts";
import { at, mapped, reads, turnOf, writes } from "../program.ts";
import {
  blocks,
  emitPack,
  forwardBand,
  geometry,
  inputGradBand,
  type Sizes,
  weightsOf,
} from "./convolution-shared.ts";
import { emitCombine, imagesAccess, operand, type Rules } from "./rule.ts";
import {
  emitWinograd,
  emitWinogradPack,
  emitWinogradWeightGrad,
  suitsWinograd,
} from "./winograd.ts";

/** The input gradient at stride 1 as a convolution of g: with kernels turned round, and the padding's complement. */
function turnedRound({ x, w, y, attributes }: Sizes): Sizes {
  const [o = 1, i = 1, kh = 1, kw = 1] = w;
  const [down, across] = attributes.padding;
  const padding = [kh - 1 - down, kw - 1 - across] as const;
  return { x: y, w: [i, o, kh, kw], y: x, attributes: { ...attributes, padding } };
}

export const convolutionRules: Rules<"conv2d" | "conv2dInputGrad" | "conv2dWeightGrad"> = {
  conv2d(low, node) {
    const { attributes, shape } = node;
    const x = low.spread(node, operand(low, node, 0));
    const weights = weightsOf(low, node, 1);
    const bias = attributes.bias ? low.dense(node, operand(low, node, 2)) : undefined;
    const residual = attributes.residual
      ? low.spread(node, operand(low, node, attributes.bias ? 3 : 2))
      : undefined;
    const sizes = { x: x.shape, w: weights.value.shape, y: shape, attributes };
    const separate = residual !== undefined && residual.place.buffer !== x.place.buffer;
    const over = separate ? [residual] : [];
    if (suitsWinograd(sizes)) {
      const packed = emitWinogradPack(low, node, weights, "forward");
      const out = low.result(node, over);
      const { relu } = attributes;
      emitWinograd(low, node, sizes, { x, weights: packed, bias, residual, out, relu });
      return out;
    }
    const { band, bytes } = forwardBand(sizes);
    low.needScratch(bytes);
    const [o = 1, depth = 1, kh = 1, kw = 1] = sizes.w;
    const { groups } = attributes;
    const k = depth * kh * kw;
    const packedBytes = 4 * groups * blocks(o / groups) * k;
    const packed = emitPack(low, node, OP_PACK, weights, packedBytes, [
      groups,
      o / groups,
      k,
      k,
      1,
    ]);
    const out = low.result(node, over);
    low.emit({
      op: OP_CONV,
      args: [
        ...geometry(low, sizes, band),
        ...[at(x.place), mapped(x.map), at(packed), at(bias?.place)],
        ...[at(residual?.place), mapped(residual?.map), at(out.place), mapped(out.map)],
        Number(attributes.relu),
      ],
      accesses: [
        imagesAccess(x, false),
        reads(packed, packedBytes),
        ...(bias === undefined ? [] : [reads(bias.place, bytesOf(bias.shape))]),
        ...(residual === undefined ? [] : [imagesAccess(residual, false)]),
        imagesAccess(out, true),
      ],
      turn: turnOf(x.map ?? out.map, x.shape[0]),
      node: node.id,
    });
    return out;
  },

  conv2dInputGrad(low, node) {
    const { attributes, shape } = node;
    const g = low.spread(node, operand(low, node, 0));
    const weights = weightsOf(low, node, 1);
    const sizes = { x: shape, w: weights.value.shape, y: g.shape, attributes };
    const turned = turnedRound(sizes);
    if (suitsWinograd(turned)) {
      const packed = emitWinogradPack(low, node, weights, "inputGrad");
      const out = low.result(node);
      emitWinograd(low, node, turned, { x: g, weights: packed, out, relu: false });
      return out;
    }
    const { band, bytes } = inputGradBand(sizes);
    low.needScratch(bytes);
    const [o = 1, inputs = 1, kh = 1, kw = 1] = sizes.w;
    const { groups, stride } = attributes;
    const packedBytes = 4 * groups * blocks(inputs) * kh * kw * (o / groups);
    const packed = emitPack(low, node, OP_PACK_INPUT_GRAD, weights, packedBytes, [
      ...[groups, inputs, o / groups, kh, kw],
      ...stride,
    ]);
    const out = low.result(node);
    low.emit({
      op: OP_CONV_INPUT_GRAD,
      args: [
        ...geometry(low, sizes, band),
        ...[at(g.place), mapped(g.map), at(packed), at(out.place), mapped(out.map)],
      ],
      accesses: [imagesAccess(g, false), reads(packed, packedBytes), imagesAccess(out, true)],
      turn: turnOf(g.map ?? out.map, g.shape[0]),
      node: node.id,
    });
    return out;
  },

  conv2dWeightGrad(low, node) {
    const { attributes, shape } = node;
    const x = low.spread(node, operand(low, node, 0));
    const g = low.spread(node, operand(low, node, 1));
    const sizes = { x: x.shape, w: shape, y: g.shape, attributes };
    if (suitsWinograd(sizes)) return emitWinogradWeightGrad(low, node, sizes, { x, g });
    const { band, bytes } = forwardBand(sizes);
    low.needScratch(bytes);
    const [o = 1, inputs = 1, kh = 1, kw = 1] = shape;
    const rowFloats = 4 * Math.ceil((kw * inputs) / 4);
    const sums = { bytes: 4 * o * kh * rowFloats, place: low.allocate(0) };
    sums.place.buffer.bytes = sums.bytes * low.threads;
    low.emit({
      op: OP_CONV_WEIGHT_GRAD,
      args: [
        ...geometry(low, sizes, band),
        ...[at(x.place), mapped(x.map), at(g.place), mapped(g.map), at(sums.place), sums.bytes],
      ],
      accesses: [
        imagesAccess(x, false),
        imagesAccess(g, false),
        writes(sums.place, sums.bytes * low.threads, "thread"),
      ],
      turn: turnOf(x.map ?? g.map, x.shape[0]),
      node: node.id,
    });
    const out = low.result(node);
    emitCombine(low, node, sums, out.place, { rows: o * kh, length: kw * inputs, rowFloats });
    return out;
  },
};
