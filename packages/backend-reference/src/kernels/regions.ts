// Cyclic row ranges and windows, whose origins are read when the step runs.

import {
  type RowRange,
  type Shape,
  sizeOf,
  type Values,
  type WindowAttributes,
} from "@fewnorm/tensor";
import { type Kernel, operand } from "../kernel.ts";

/** Row `i` of a range: base + ((start + offset + i) mod modulo), the mathematical modulo. */
function rowAt(range: RowRange, start: number, i: number): number {
  const turned = (start + range.offset + i) % range.modulo;
  return range.base + (turned < 0 ? turned + range.modulo : turned);
}

const rowSize = (shape: Shape): number => sizeOf(shape.slice(1));

export const rows: Kernel<"rows"> = ({ node, x, y }) => {
  const [from, starts] = [operand(x, 0), operand(x, 1)];
  const { index, range } = node.attributes;
  const size = rowSize(node.shape);
  for (let i = 0; i < range.count; i++) {
    const first = rowAt(range, starts[index]!, i) * size;
    y.set(from.subarray(first, first + size), i * size);
  }
};

export const joinRows: Kernel<"joinRows"> = ({ node, x, y }) => {
  const { indices, ranges } = node.attributes;
  const size = rowSize(node.shape);
  for (const [k, range] of ranges.entries()) {
    const part = operand(x, k);
    const start = operand(x, ranges.length + k)[indices[k]!]!;
    for (let i = 0; i < range.count; i++) {
      y.set(part.subarray(i * size, (i + 1) * size), rowAt(range, start, i) * size);
    }
  }
};

export const addRows: Kernel<"addRows"> = ({ node, x, y }) => {
  const [base, part, starts] = [operand(x, 0), operand(x, 1), operand(x, 2)];
  const { index, range } = node.attributes;
  const size = rowSize(node.shape);
  y.set(base);
  for (let i = 0; i < range.count; i++) {
    const to = rowAt(range, starts[index]!, i) * size;
    for (let p = 0; p < size; p++) y[to + p]! += part[i * size + p]!;
  }
};

export const crop: Kernel<"crop"> = ({ node, x, shapes, y }) => {
  const from = operand(x, 0);
  eachWindowPixel(node.attributes, operand(x, 1), shapes[0]!, (inWindow, inMap) => {
    y[inWindow] = from[inMap]!;
  });
};

export const addCrop: Kernel<"addCrop"> = ({ node, x, y }) => {
  const [base, part] = [operand(x, 0), operand(x, 1)];
  y.set(base);
  eachWindowPixel(node.attributes, operand(x, 2), node.shape, (inWindow, inMap) => {
    y[inMap]! += part[inWindow]!;
  });
};

/** Calls `visit` with the position in the window and in the map of every pixel that lies in both. */
function eachWindowPixel(
  window: WindowAttributes,
  origins: Values,
  map: Shape,
  visit: (inWindow: number, inMap: number) => void,
): void {
  const [n, c, h, w] = map as [number, number, number, number];
  const { index, height, width, stride, offset } = window;
  const top = origins[index]! * stride[0] + offset[0];
  const left = origins[index + 1]! * stride[1] + offset[1];
  for (let plane = 0; plane < n * c; plane++) {
    for (let i = Math.max(0, -top); i < Math.min(height, h - top); i++) {
      for (let j = Math.max(0, -left); j < Math.min(width, w - left); j++) {
        visit((plane * height + i) * width + j, (plane * h + top + i) * w + left + j);
      }
    }
  }
}
