// Reshaping, broadcasting, reductions, static slices, and the matrix product.

import { stridesOf } from "@fewnorm/tensor";
import { type Kernel, operand, positionsOf } from "../kernel.ts";
import { broadcastPositions } from "./elementwise.ts";

export const reshape: Kernel<"reshape"> = ({ x, y }) => {
  y.set(operand(x, 0));
};

export const broadcast: Kernel<"broadcast"> = ({ node, x, shapes, y }) => {
  const from = operand(x, 0);
  const positions = broadcastPositions(shapes[0]!, node.shape);
  for (let i = 0; i < y.length; i++) y[i] = from[positions[i]!]!;
};

export const sum: Kernel<"sum"> = ({ node, x, shapes, y }) => {
  const from = operand(x, 0);
  const shape = shapes[0]!;
  const { axes } = node.attributes;
  const kept = stridesOf(node.shape);
  let next = 0;
  const strides = shape.map((_, axis) => (axes.includes(axis) ? 0 : kept[next++]!));
  const positions = positionsOf(shape, strides);
  const total = new Float64Array(y.length);
  for (let i = 0; i < from.length; i++) total[positions[i]!]! += from[i]!;
  y.set(total);
};

export const slice: Kernel<"slice"> = ({ node, x, shapes, y }) => {
  const from = operand(x, 0);
  const positions = placed(node.shape, node.attributes.start, node.attributes.stride, shapes[0]!);
  for (let i = 0; i < y.length; i++) y[i] = from[positions[i]!]!;
};

export const pad: Kernel<"pad"> = ({ node, x, shapes, y }) => {
  const from = operand(x, 0);
  const { before, interior, shape } = node.attributes;
  const positions = placed(shapes[0]!, before, interior, shape);
  for (let i = 0; i < from.length; i++) y[positions[i]!] = from[i]!;
};

/** The positions in `outer` of an inner tensor whose element i lies at start + i · stride. */
function placed(
  inner: readonly number[],
  start: readonly number[],
  stride: readonly number[],
  outer: readonly number[],
): Int32Array {
  const strides = stridesOf(outer);
  const first = start.reduce((position, index, axis) => position + index * strides[axis]!, 0);
  return positionsOf(
    inner,
    stride.map((step, axis) => step * strides[axis]!),
    first,
  );
}

export const matmul: Kernel<"matmul"> = ({ node, x, shapes, y }) => {
  const [a, b] = [operand(x, 0), operand(x, 1)];
  const { transposeA, transposeB } = node.attributes;
  const [aRows, aColumns] = shapes[0] as [number, number];
  const bColumns = shapes[1]![1]!;
  const [m, n] = node.shape as [number, number];
  const inner = transposeA ? aRows : aColumns;
  const [aRow, aStep] = transposeA ? [1, aColumns] : [aColumns, 1];
  const [bStep, bColumn] = transposeB ? [1, bColumns] : [bColumns, 1];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let k = 0; k < inner; k++) {
        total += a[i * aRow + k * aStep]! * b[k * bStep + j * bColumn]!;
      }
      y[i * n + j] = total;
    }
  }
};
