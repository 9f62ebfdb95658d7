// Convolution and its gradients: which kernel, and its instructions.

import type { Node, NodeOf } from "@fewnorm/tensor";
import {
  OP_CONV,
  OP_CONV_INPUT_GRAD,
  OP_CONV_WEIGHT_GRAD,
  OP_PACK,
  OP_PACK_INPUT_GRAD,
} from "../../opcodes.ts";
import { bytesOf, type Lowering, rangeMap, type Value } from "../lowering.ts";
import { at, mapped, reads, turnOf, writes } from "../program.ts";
import {
  blocks,
  emitDepthwisePack,
  emitPack,
  forwardBand,
  geometry,
  inputGradBand,
  isDepthwise,
  partsOf,
  type Sizes,
  vectorAccesses,
  type Weights,
  weightsOf,
} from "./convolution-shared.ts";
import { rowsOf } from "./places.ts";
import { emitCombine, imagesAccess, operand, type Rules } from "./rule.ts";
import {
  emitScaledPack,
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

/** Whether images are so small that threads rather divide the filters of the weight gradient than the images. */
function isSmall({ x, y, attributes }: Sizes): boolean {
  const [, channels = 1] = x;
  const [images = 1, , height = 1, width = 1] = y;
  return attributes.groups === 1 && channels % 4 === 0 && height * width <= 16 && images >= 4;
}

/** What an input gradient adds to its result: of a join's part, the rows that it fills. */
export function addendOf(low: Lowering, node: NodeOf<"conv2dInputGrad">): Value | undefined {
  const id = low.analysis.summed.addend.get(node.id);
  if (id === undefined) return undefined;
  const added = low.graph.nodes[id] as Node;
  const { shape } = added;
  // Rows of what is there already may come later in the graph.
  if (added.op === "rows" && low.value(id) === undefined) low.define(id, rowsOf(low, added));
  const joined = low.analysis.masked.joined.get(id);
  if (added.op !== "joinRows" || joined !== undefined) {
    return rowsAs(low, node, low.value(joined ?? id));
  }
  return rowsAs(low, node, { shape, place: low.joinPlace(id) });
}

/** The ReLU's results that mask an input gradient: of a join's part, the rows that it fills. */
function maskOf(low: Lowering, node: NodeOf<"conv2dInputGrad">): Value | undefined {
  const id = low.analysis.masked.mask.get(node.id);
  return id === undefined ? undefined : rowsAs(low, node, low.value(id));
}

/** `whole`, or the rows of it that a node fills which is a join's part from the start. */
function rowsAs(low: Lowering, node: Node, whole: Value): Value {
  const { placed, masked } = low.analysis;
  const placement = placed.get(node.id);
  if (placement === undefined || masked.moved.has(node.id)) return low.spread(node, whole);
  const { place } = low.dense(node, whole);
  return { shape: node.shape, place, map: rangeMap(low, placement) };
}

/** What an input gradient is computed from. */
export interface InputGradOperands {
  readonly g: Value;
  readonly weights: Weights;
  /** What is added to it. */
  readonly base: Value | undefined;
}

type ScaledWeights = Weights & { readonly scale: Value };

/** Whether the input gradient of the same weights without their scale is computed by Winograd's algorithm, too. */
function isPlainToo(low: Lowering, weights: Weights): weights is ScaledWeights {
  if (weights.scale === undefined) return false;
  return (low.analysis.users[weights.node] ?? []).some((user) => {
    if (user.op !== "conv2dInputGrad" || user.inputs[1] !== weights.node) return false;
    if (low.analysis.patched.inside.has(user.id)) return false;
    const { shape: y } = low.graph.nodes[user.inputs[0] as number] as Node;
    const { shape: x, attributes } = user;
    return suitsWinograd(turnedRound({ x, w: weights.value.shape, y, attributes }));
  });
}

/** The input gradient `node` of `operands`, as the result of `of`. */
export function emitInputGrad(
  low: Lowering,
  node: NodeOf<"conv2dInputGrad">,
  { g, weights, base }: InputGradOperands,
  of: Node,
): Value {
  const { attributes, shape } = node;
  const sizes = { x: shape, w: weights.value.shape, y: g.shape, attributes };
  const turned = turnedRound(sizes);
  const mask = maskOf(low, node);
  if (suitsWinograd(turned)) {
    const packed = isPlainToo(low, weights)
      ? emitScaledPack(low, node, weights)
      : emitWinogradPack(low, node, weights, "inputGrad");
    const out = low.result(of);
    const operands = { x: g, weights: packed, residual: base, mask, out, relu: false };
    emitWinograd(low, node, turned, operands);
    return out;
  }
  const { band, bytes } = inputGradBand(sizes);
  low.needScratch(bytes);
  const [o = 1, inputs = 1, kh = 1, kw = 1] = sizes.w;
  const { groups, stride } = attributes;
  const lanes = isDepthwise(sizes) ? groups : groups * blocks(inputs);
  const packedBytes = 4 * lanes * kh * kw * (o / groups);
  const sides = [groups, inputs, o / groups, kh, kw, ...stride];
  const packed = isDepthwise(sizes)
    ? emitDepthwisePack(low, node, weights)
    : emitPack(low, node, OP_PACK_INPUT_GRAD, weights, packedBytes, sides, { scaled: true });
  const out = low.result(of);
  low.emit({
    op: OP_CONV_INPUT_GRAD,
    args: [
      ...geometry(low, sizes, band),
      ...[at(g.place), mapped(g.map), at(packed), at(base?.place), mapped(base?.map)],
      ...[at(out.place), mapped(out.map), at(mask?.place), mapped(mask?.map)],
    ],
    accesses: [
      imagesAccess(g, false),
      reads(packed, packedBytes),
      ...(base === undefined ? [] : [imagesAccess(base, false)]),
      ...(mask === undefined ? [] : [imagesAccess(mask, false)]),
      imagesAccess(out, true),
    ],
    turn: turnOf(g.map ?? out.map, g.shape[0]),
    node: node.id,
  });
  return out;
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
      const { scale } = weights;
      emitWinograd(low, node, sizes, { x, weights: packed, scale, bias, residual, out, relu });
      return out;
    }
    const { band, bytes } = forwardBand(sizes);
    low.needScratch(bytes);
    const [o = 1, depth = 1, kh = 1, kw = 1] = sizes.w;
    const { groups } = attributes;
    const k = depth * kh * kw;
    const lanes = isDepthwise(sizes) ? groups : groups * blocks(o / groups);
    const packedBytes = 4 * lanes * k;
    const packed = isDepthwise(sizes)
      ? emitDepthwisePack(low, node, weights)
      : emitPack(low, node, OP_PACK, weights, packedBytes, [groups, o / groups, k, k, 1]);
    const out = low.result(node, over);
    low.emit({
      op: OP_CONV,
      args: [
        ...geometry(low, sizes, band),
        ...[at(x.place), mapped(x.map), at(packed), at(weights.scale?.place), at(bias?.place)],
        ...[at(residual?.place), mapped(residual?.map), at(out.place), mapped(out.map)],
        Number(attributes.relu),
      ],
      accesses: [
        imagesAccess(x, false),
        reads(packed, packedBytes),
        ...vectorAccesses(weights.scale, bias),
        ...(residual === undefined ? [] : [imagesAccess(residual, false)]),
        imagesAccess(out, true),
      ],
      turn: turnOf(x.map ?? out.map, x.shape[0]),
      node: node.id,
    });
    return out;
  },

  conv2dInputGrad(low, node) {
    const g = low.spread(node, operand(low, node, 0));
    const operands = { g, weights: weightsOf(low, node, 1), base: addendOf(low, node) };
    return emitInputGrad(low, node, operands, node);
  },

  conv2dWeightGrad(low, node) {
    const { attributes, shape } = node;
    const x = low.spread(node, operand(low, node, 0));
    const g = low.spread(node, operand(low, node, 1));
    const sizes = { x: x.shape, w: shape, y: g.shape, attributes };
    if (suitsWinograd(sizes)) return emitWinogradWeightGrad(low, node, sizes, { x, g });
    const { band, bytes } = forwardBand(sizes);
    const [o = 1, inputs = 1, kh = 1, kw = 1] = shape;
    if (isSmall(sizes)) {
      const [images = 1, , height = 1, width = 1] = g.shape;
      low.needScratch(images * height * width * (4 * (o + inputs) + 256));
      const out = low.result(node);
      low.emit({
        op: OP_CONV_WEIGHT_GRAD,
        args: [
          ...geometry(low, sizes, band),
          ...[at(x.place), mapped(x.map), at(g.place), mapped(g.map), at(out.place), 0, 0, 0, 1],
        ],
        accesses: [
          { ...imagesAccess(x, false), key: "" },
          { ...imagesAccess(g, false), key: "" },
          writes(out.place, bytesOf(shape)),
        ],
        node: node.id,
      });
      return out;
    }
    low.needScratch(bytes);
    const rowFloats = 4 * Math.ceil((kw * inputs) / 4);
    const sumsBytes = 4 * o * kh * rowFloats;
    const { parts, tail } = partsOf(low, sizes, x.shape[0] ?? 1, 1, sumsBytes);
    const all = low.threads * parts;
    const sums = { bytes: sumsBytes, parts: all, place: low.allocate(sumsBytes * all) };
    low.emit({
      op: OP_CONV_WEIGHT_GRAD,
      args: [
        ...geometry(low, sizes, band),
        ...[at(x.place), mapped(x.map), at(g.place), mapped(g.map)],
        ...[at(sums.place), sums.bytes, parts, tail, 0],
      ],
      accesses: [
        imagesAccess(x, false),
        imagesAccess(g, false),
        writes(sums.place, sums.bytes * all, "thread"),
      ],
      turn: turnOf(x.map ?? g.map, x.shape[0]),
      node: node.id,
    });
    const out = low.result(node);
    const length = kw * inputs;
    emitCombine(low, node, sums, out.place, { rows: o, lines: kh, length, rowFloats });
    return out;
  },
};
