// What a kernel is given, and the index arithmetic that several of them share.

import { type NodeOf, type Primitive, type Shape, sizeOf, type Values } from "@fewnorm/tensor";

/**
 * Computes `y`, which is all zero at first, from the operands `x`. Sums are accumulated in float64
 * and rounded once, when they are stored in `y`.
 */
export type Kernel<P extends Primitive> = (context: KernelContext<P>) => void;

export interface KernelContext<P extends Primitive> {
  readonly node: NodeOf<P>;
  readonly x: readonly Values[];
  /** The operands' shapes. */
  readonly shapes: readonly Shape[];
  readonly y: Values;
  readonly feeds: ReadonlyMap<string, ArrayLike<number>>;
  readonly states: ReadonlyMap<string, Values>;
}

/** An operand, with its absence made an error rather than NaN. */
export function operand(x: readonly Values[], index: number): Values {
  const values = x[index];
  if (values === undefined) throw new Error(`operand ${index} is missing; the graph is malformed`);
  return values;
}

/**
 * The position `start` + Σ indexₐ · stridesₐ of each element of a tensor of this shape, in row-major
 * order of the index.
 */
export function positionsOf(shape: Shape, strides: Shape, start = 0): Int32Array {
  let positions = Int32Array.of(start);
  for (const [axis, length] of shape.entries()) {
    const stride = strides[axis]!;
    const longer = new Int32Array(positions.length * length);
    for (let i = 0; i < positions.length; i++) {
      for (let j = 0; j < length; j++) longer[i * length + j] = positions[i]! + j * stride;
    }
    positions = longer;
  }
  return positions;
}

/** [N, C, H, W] or [N, C] as images × channels × pixels. */
export function channelLayout(shape: Shape): { images: number; channels: number; pixels: number } {
  const [images = 1, channels = 1, ...map] = shape;
  return { images, channels, pixels: sizeOf(map) };
}
