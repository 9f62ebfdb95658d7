// Cross-correlation and its two gradients. Each adds, for one plane of the result at a time and one
// tap of the kernel at a time, the product of what meets there.

import type { ConvolutionAttributes, Shape, Values } from "@fewnorm/tensor";
import { type Kernel, operand } from "../kernel.ts";
import { rectified } from "./elementwise.ts";

/** An operand as float64, so that the loops below meet one kind of array only and stay quick. */
function float64(x: readonly Values[], index: number): Float64Array {
  const values = operand(x, index);
  return values instanceof Float64Array ? values : Float64Array.from(values);
}

/** to[at + k·step] += factor · from[first + k·stride] for k < count. */
function addScaled(
  to: Float64Array,
  at: number,
  step: number,
  factor: number,
  from: Float64Array,
  first: number,
  stride: number,
  count: number,
): void {
  for (let k = 0; k < count; k++) to[at + k * step]! += factor * from[first + k * stride]!;
}

/** Σₖ a[first + k·stride] · b[at + k] for k < count. */
function dot(
  a: Float64Array,
  first: number,
  stride: number,
  b: Float64Array,
  at: number,
  count: number,
): number {
  let total = 0;
  for (let k = 0; k < count; k++) total += a[first + k * stride]! * b[at + k]!;
  return total;
}

/** Sizes of x [n, c, h, w], of the weight [o, i, kh, kw] and of the result [n, o, oh, ow]. */
interface Geometry extends ConvolutionAttributes {
  readonly n: number;
  readonly c: number;
  readonly h: number;
  readonly w: number;
  readonly o: number;
  /** Input channels of a group. */
  readonly i: number;
  /** Output channels of a group. */
  readonly perGroup: number;
  readonly kh: number;
  readonly kw: number;
  readonly oh: number;
  readonly ow: number;
}

function geometry(x: Shape, weight: Shape, y: Shape, attributes: ConvolutionAttributes): Geometry {
  const [n, c, h, w] = x as [number, number, number, number];
  const [o, i, kh, kw] = weight as [number, number, number, number];
  const [, , oh, ow] = y as [number, number, number, number];
  const { stride, padding, groups } = attributes;
  const perGroup = o / groups;
  return { n, c, h, w, o, i, perGroup, kh, kw, oh, ow, stride, padding, groups };
}

/** The output positions at which tap `k` of the kernel meets the input: first, and one past the last. */
function span(
  k: number,
  stride: number,
  padding: number,
  length: number,
  outputs: number,
): [number, number] {
  const first = Math.max(0, Math.ceil((padding - k) / stride));
  const last = Math.floor((length - 1 + padding - k) / stride);
  return [first, Math.min(outputs, last + 1)];
}

export const conv2d: Kernel<"conv2d"> = ({ node, x, shapes, y }) => {
  const { attributes } = node;
  const [image, weight] = [float64(x, 0), float64(x, 1)];
  const bias = attributes.bias ? operand(x, 2) : undefined;
  const residual = attributes.residual ? operand(x, attributes.bias ? 3 : 2) : undefined;
  const { n, c, h, w, o, i, perGroup, kh, kw, oh, ow, stride, padding } = geometry(
    shapes[0]!,
    shapes[1]!,
    node.shape,
    attributes,
  );
  const plane = new Float64Array(oh * ow);
  for (let image0 = 0; image0 < n; image0++) {
    for (let out = 0; out < o; out++) {
      plane.fill(bias?.[out] ?? 0);
      const group = Math.floor(out / perGroup);
      for (let channel = 0; channel < i; channel++) {
        const from = (image0 * c + group * i + channel) * h * w;
        for (let ky = 0; ky < kh; ky++) {
          const [y0, y1] = span(ky, stride[0], padding[0], h, oh);
          for (let kx = 0; kx < kw; kx++) {
            const [x0, x1] = span(kx, stride[1], padding[1], w, ow);
            const tap = weight[((out * i + channel) * kh + ky) * kw + kx]!;
            for (let oy = y0; oy < y1; oy++) {
              const row = from + (oy * stride[0] + ky - padding[0]) * w + kx - padding[1];
              const first = row + x0 * stride[1];
              addScaled(plane, oy * ow + x0, 1, tap, image, first, stride[1], x1 - x0);
            }
          }
        }
      }
      const to = (image0 * o + out) * oh * ow;
      for (let p = 0; p < plane.length; p++) {
        const value = plane[p]! + (residual === undefined ? 0 : residual[to + p]!);
        y[to + p] = attributes.relu ? rectified(value) : value;
      }
    }
  }
};

export const conv2dInputGrad: Kernel<"conv2dInputGrad"> = ({ node, x, shapes, y }) => {
  const [g, weight] = [float64(x, 0), float64(x, 1)];
  const { n, c, h, w, o, i, perGroup, kh, kw, oh, ow, stride, padding } = geometry(
    node.shape,
    shapes[1]!,
    shapes[0]!,
    node.attributes,
  );
  const plane = new Float64Array(h * w);
  for (let image = 0; image < n; image++) {
    for (let into = 0; into < c; into++) {
      plane.fill(0);
      const group = Math.floor(into / i);
      const channel = into % i;
      for (let out = group * perGroup; out < (group + 1) * perGroup; out++) {
        const from = (image * o + out) * oh * ow;
        for (let ky = 0; ky < kh; ky++) {
          const [y0, y1] = span(ky, stride[0], padding[0], h, oh);
          for (let kx = 0; kx < kw; kx++) {
            const [x0, x1] = span(kx, stride[1], padding[1], w, ow);
            const tap = weight[((out * i + channel) * kh + ky) * kw + kx]!;
            for (let oy = y0; oy < y1; oy++) {
              const row = (oy * stride[0] + ky - padding[0]) * w + kx - padding[1];
              const at = row + x0 * stride[1];
              addScaled(plane, at, stride[1], tap, g, from + oy * ow + x0, 1, x1 - x0);
            }
          }
        }
      }
      y.set(plane, (image * c + into) * h * w);
    }
  }
};

export const conv2dWeightGrad: Kernel<"conv2dWeightGrad"> = ({ node, x, shapes, y }) => {
  const [image, g] = [float64(x, 0), float64(x, 1)];
  const { n, c, h, w, o, i, perGroup, kh, kw, oh, ow, stride, padding } = geometry(
    shapes[0]!,
    node.shape,
    shapes[1]!,
    node.attributes,
  );
  for (let out = 0; out < o; out++) {
    const group = Math.floor(out / perGroup);
    for (let channel = 0; channel < i; channel++) {
      for (let ky = 0; ky < kh; ky++) {
        const [y0, y1] = span(ky, stride[0], padding[0], h, oh);
        for (let kx = 0; kx < kw; kx++) {
          const [x0, x1] = span(kx, stride[1], padding[1], w, ow);
          let total = 0;
          for (let image0 = 0; image0 < n; image0++) {
            const from = (image0 * c + group * i + channel) * h * w;
            const to = (image0 * o + out) * oh * ow;
            for (let oy = y0; oy < y1; oy++) {
              const row = from + (oy * stride[0] + ky - padding[0]) * w + kx - padding[1];
              const first = row + x0 * stride[1];
              total += dot(image, first, stride[1], g, to + oy * ow + x0, x1 - x0);
            }
          }
          y[((out * i + channel) * kh + ky) * kw + kx] = total;
        }
      }
    }
  }
};
