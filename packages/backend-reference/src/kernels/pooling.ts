// Max pooling and its gradient, window by window.

import type { PoolingAttributes, Shape } from "@fewnorm/tensor";
import { type Kernel, operand } from "../kernel.ts";

export const maxPool: Kernel<"maxPool"> = ({ node, x, shapes, y }) => {
  const image = operand(x, 0);
  eachWindow(shapes[0]!, node.shape, node.attributes, (output, pixels) => {
    y[output] = pixels.reduce((largest, at) => Math.max(largest, image[at]!), -Infinity);
  });
};

export const maxPoolGrad: Kernel<"maxPoolGrad"> = ({ node, x, shapes, y }) => {
  const [g, image] = [operand(x, 0), operand(x, 1)];
  const sums = new Float64Array(y.length);
  eachWindow(node.shape, shapes[0]!, node.attributes, (output, pixels) => {
    const largest = pixels.reduce((value, at) => Math.max(value, image[at]!), -Infinity);
    const first = pixels.find((at) => image[at] === largest);
    if (first !== undefined) sums[first]! += g[output]!;
  });
  y.set(sums);
};

/** Each output position with the positions in x of its window's pixels, in row-major order. */
function eachWindow(
  x: Shape,
  y: Shape,
  { kernel, stride, padding }: PoolingAttributes,
  visit: (output: number, pixels: readonly number[]) => void,
): void {
  const [, , h, w] = x as [number, number, number, number];
  const [n, c, oh, ow] = y as [number, number, number, number];
  const along = (axis: 0 | 1, output: number, length: number) =>
    Array.from(
      { length: kernel[axis] },
      (_, k) => output * stride[axis] - padding[axis] + k,
    ).filter((at) => at >= 0 && at < length);
  for (let map = 0; map < n * c; map++) {
    for (let oy = 0; oy < oh; oy++) {
      const rows = along(0, oy, h);
      for (let ox = 0; ox < ow; ox++) {
        const columns = along(1, ox, w);
        const pixels = rows.flatMap((row) => columns.map((column) => (map * h + row) * w + column));
        visit((map * oh + oy) * ow + ox, pixels);
      }
    }
  }
}
