// The type of a lowering rule, and what several families of rules share.

import type { Node, NodeOf, Primitive } from "@fewnorm/tensor";
import { EACH, OP_COMBINE, SHARED } from "../../opcodes.ts";
import { bytesOf, type Lowering, SMALL, type Value } from "../lowering.ts";
import { type Access, at, mapName, type Place, rangeOf, reads, writes } from "../program.ts";

/** Emits the instructions of a node and says where its value lies. */
export type Rule<P extends Primitive> = (low: Lowering, node: NodeOf<P>) => Value;

export type Rules<P extends Primitive> = { readonly [K in P]: Rule<K> };

/** The value of a node's operand. */
export function operand(
  low: Lowering,
  node: { readonly inputs: readonly number[] },
  index: number,
) {
  return low.value(node.inputs[index] as number);
}

/** N, C and the pixels of an image, of [N, C] or [N, C, H, W]. */
export function imagesOf(shape: readonly number[]) {
  const [images = 1, channels = 1, height = 1, width = 1] = shape;
  return { images, channels, pixels: height * width };
}

/** What threads touch when each treats its share of a value's images. */
export function imagesAccess(value: Value, write: boolean): Access {
  const key = `rows:${value.shape[0] ?? 1}${mapName(value.map)}`;
  const { place, map, shape } = value;
  return { ...rangeOf(place, bytesOf(shape), map, shape[0]), key, write };
}

/**
 * Adds up what the threads have left in the `parts` of `partial`, one for each thread unless it says otherwise: `rows`
 * of `lines` of `length` floats, `rowFloats` apart.
 */
export function emitCombine(
  low: Lowering,
  node: Node,
  partial: { readonly place: Place; readonly bytes: number; readonly parts?: number },
  out: Place,
  size: {
    readonly rows: number;
    readonly lines?: number;
    readonly length: number;
    readonly rowFloats: number;
  },
): void {
  const { rows, lines = 1, length, rowFloats } = size;
  const { parts = low.threads } = partial;
  const small = rows * lines * length < SMALL;
  low.emit({
    op: OP_COMBINE,
    args: [
      small ? EACH : SHARED,
      at(partial.place),
      partial.bytes,
      parts,
      at(out),
      ...[rows, lines, length, rowFloats],
    ],
    accesses: [
      reads(partial.place, partial.bytes * parts),
      writes(out, 4 * rows * lines * length, small ? "each" : `rows:${rows}`),
    ],
    node: node.id,
  });
}
