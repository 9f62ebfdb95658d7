// Element by element, the binary ones with NumPy's broadcasting.

import { type Shape, stridesOf } from "@fewnorm/tensor";
import { type Kernel, operand, positionsOf } from "../kernel.ts";

type Binary = "add" | "subtract" | "multiply" | "divide";

function binary(f: (a: number, b: number) => number): Kernel<Binary> {
  return ({ node, x, shapes, y }) => {
    const [a, b] = [operand(x, 0), operand(x, 1)];
    const fromA = broadcastPositions(shapes[0]!, node.shape);
    const fromB = broadcastPositions(shapes[1]!, node.shape);
    for (let i = 0; i < y.length; i++) y[i] = f(a[fromA[i]!]!, b[fromB[i]!]!);
  };
}

/** For each element of a tensor of shape `to`, the position in `shape` that broadcasts to it. */
export function broadcastPositions(shape: Shape, to: Shape): Int32Array {
  const missing = to.length - shape.length;
  const strides = stridesOf(shape);
  return positionsOf(
    to,
    to.map((_, axis) =>
      axis < missing || shape[axis - missing] === 1 ? 0 : strides[axis - missing]!,
    ),
  );
}

export const add = binary((a, b) => a + b);
export const subtract = binary((a, b) => a - b);
export const multiply = binary((a, b) => a * b);
export const divide = binary((a, b) => a / b);

export const sqrt: Kernel<"sqrt"> = ({ x, y }) => {
  const from = operand(x, 0);
  for (let i = 0; i < y.length; i++) y[i] = Math.sqrt(from[i]!);
};

export const relu: Kernel<"relu"> = ({ x, y }) => {
  const from = operand(x, 0);
  for (let i = 0; i < y.length; i++) y[i] = rectified(from[i]!);
};

/** max(value, 0); NaN stays NaN. */
export const rectified = (value: number): number => Math.max(value, 0);

export const reluGrad: Kernel<"reluGrad"> = ({ x, y }) => {
  const [g, result] = [operand(x, 0), operand(x, 1)];
  for (let i = 0; i < y.length; i++) y[i] = result[i]! > 0 ? g[i]! : 0;
};
