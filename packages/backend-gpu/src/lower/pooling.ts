// Max pooling and its gradient, window by window.

import type { PoolingAttributes } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Coordinates, Lowered } from "../lowered.ts";
import { type Lowering, loop, often, operand } from "./lowering.ts";
import { affine } from "./shapes.ts";

/** The largest value of the window of output `at`, and the number of its tap; of equal ones the first. */
function largest(
  e: Emitter,
  of: Lowered,
  { kernel, stride, padding }: PoolingAttributes,
  [n = "0", c = "0", oy = "0", ox = "0"]: Coordinates,
): { readonly value: string; readonly tap: string } {
  const [, , h, w] = of.shape as [number, number, number, number];
  const top = affine(e, oy, stride[0], -padding[0]);
  const left = affine(e, ox, stride[1], -padding[1]);
  const [y0, x0] = [e.name(`Math.max(${top}, 0)`), e.name(`Math.max(${left}, 0)`)];
  const value = e.variable(e.read(of, [n, c, y0, x0]));
  const tap = e.variable(`(${y0} - ${top}) * ${kernel[1]} + ${x0} - ${left}`);
  e.loop(kernel[0], (ky) =>
    e.loop(kernel[1], (kx) => {
      const [y, x] = [e.name(`${top} + ${ky}`), e.name(`${left} + ${kx}`)];
      e.when(`${y} >= 0 && ${y} < ${h} && ${x} >= 0 && ${x} < ${w}`, () => {
        const pixel = e.read(of, [n, c, y, x]);
        // NaN is largest: what follows is not.
        e.when(`${pixel} > ${value} || ${pixel} !== ${pixel}`, () => {
          e.statement(`${value} = ${pixel};`);
          e.statement(`${tap} = ${ky} * ${kernel[1]} + ${kx};`);
        });
      });
    }),
  );
  return { value, tap };
}

export const maxPool: Lowering<"maxPool"> = ({ node, x }) => {
  const of = operand(x, 0);
  return loop(node.shape, [often(of)], (e, at) => largest(e, of, node.attributes, at).value);
};

/** In two stages: where each window has its largest value, and for each pixel the windows where that is it. */
export const maxPoolGrad: Lowering<"maxPoolGrad"> = ({ node, x }) => {
  const [g, of] = [operand(x, 0), operand(x, 1)];
  const { kernel, stride, padding } = node.attributes;
  const [, , oh, ow] = g.shape as [number, number, number, number];
  const winners = loop(g.shape, [often(of)], (e, at) => largest(e, of, node.attributes, at).tap);
  return loop(node.shape, [often(g), often(winners)], (e, at) => {
    const [n, c, y, x] = at as [string, string, string, string];
    const total = e.variable("0");
    /** The window whose tap `k` is this pixel, and whether there is one. */
    const window = (pixel: string, k: string, axis: 0 | 1, count: number) => {
      const back = e.name(`${affine(e, pixel, 1, padding[axis])} - ${k}`);
      const positive = e.name(`Math.max(${back}, 0)`);
      const [output, rest] = e.divide(positive, stride[axis], count * stride[axis] + kernel[axis]);
      return { output, exists: `${back} >= 0 && ${rest} < 0.5 && ${output} < ${count}` };
    };
    e.loop(kernel[0], (ky) =>
      e.loop(kernel[1], (kx) => {
        const [row, column] = [window(y, ky, 0, oh), window(x, kx, 1, ow)];
        e.when(`${row.exists} && ${column.exists}`, () => {
          const output = [n, c, row.output, column.output];
          const tap = e.name(`${ky} * ${kernel[1]} + ${kx}`);
          e.when(`${e.read(winners, output)} === ${tap}`, () =>
            e.statement(`${total} += ${e.read(g, output)};`),
          );
        });
      }),
    );
    return total;
  });
};
