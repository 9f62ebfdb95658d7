// The input gradients of a folded convolution and of the window that its statistics are taken from, as one.

import type { NodeOf } from "@fewnorm/tensor";
import { EW_DIVISOR, OP_PATCH } from "../../opcodes.ts";
import { broadcastTo, copyValue, emitElementwise } from "../elementwise.ts";
import type { PatchedGradient } from "../fusion.ts";
import { bytesOf, type Lowering, type Value } from "../lowering.ts";
import { type Access, type Argument, at, mapped, reads, writes } from "../program.ts";
import { addendOf, emitInputGrad } from "./convolution.ts";
import { vectorAccesses, weightsOf } from "./convolution-shared.ts";
import { indexPlace, startAccess, windowArguments } from "./places.ts";
import { imagesAccess, operand } from "./rule.ts";

/**
 * For as long as the convolution takes, g holds p/scale at the window as well. Where the scale is 0 (γ may be) a tiny
 * one stands for it, in the weights too: the error is that of g times that.
 */
export function emitPatchedInputGrad(
  low: Lowering,
  node: NodeOf<"addCrop">,
  { gradient, window }: PatchedGradient,
): Value {
  const base = addendOf(low, gradient);
  const g = ownGradient(low, node, low.spread(node, operand(low, gradient, 0)), base);
  const part = low.spread(node, operand(low, window, 0));
  const origin = operand(low, node, 2);
  const weights = weightsOf(low, gradient, 1);
  const divisor = divisorOf(low, node, weights.scale as Value);
  const kept = low.allocate(bytesOf(part.shape));
  const [, , height = 1, width = 1] = part.shape;
  const { index } = node.attributes;
  const place = { index, height, width, stride: [1, 1], offset: [0, 0] } as const;
  const emitPatch = (added: readonly Argument[], accesses: readonly Access[]) =>
    low.emit({
      op: OP_PATCH,
      args: [
        ...windowArguments(indexPlace(origin, index), g.shape, place),
        ...[at(g.place), mapped(g.map), ...added, at(kept)],
      ],
      accesses: [startAccess(origin), imagesAccess(g, true), ...accesses],
      node: node.id,
    });

  const key = `rows:${g.shape[0]}`;
  emitPatch(
    [at(part.place), mapped(part.map), at(divisor.place)],
    [imagesAccess(part, false), ...vectorAccesses(divisor), writes(kept, bytesOf(part.shape), key)],
  );
  const scaleNode = `divisor ${weights.scaleNode}`;
  const out = emitInputGrad(
    low,
    gradient,
    { g, weights: { ...weights, scale: divisor, scaleNode }, base },
    node,
  );
  emitPatch([0, 0, 0], [reads(kept, bytesOf(part.shape), key)]);
  return out;
}

/** g, or a copy where it is also what is added to the result, without the window's part. */
function ownGradient(
  low: Lowering,
  node: NodeOf<"addCrop">,
  g: Value,
  base: Value | undefined,
): Value {
  if (base?.place.buffer !== g.place.buffer) return g;
  const copy = { shape: g.shape, place: low.allocate(bytesOf(g.shape)) };
  copyValue(low, node, copy, g);
  return copy;
}

/** A scale without zeros. */
function divisorOf(low: Lowering, node: NodeOf<"addCrop">, scale: Value): Value {
  const { shape } = scale;
  const divisor = { shape, place: low.allocate(bytesOf(shape)) };
  const operands = [broadcastTo(divisor, shape), broadcastTo(scale, shape)] as const;
  emitElementwise(low, node, EW_DIVISOR, shape, operands);
  return divisor;
}
