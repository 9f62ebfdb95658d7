// Moments, normalization and its gradients, channel by channel over [N, C] or [N, C, H, W].

import { channelLayout, type Kernel, operand } from "../kernel.ts";
import { rectified } from "./elementwise.ts";

export const moments: Kernel<"moments"> = ({ x, shapes, y }) => {
  const from = operand(x, 0);
  const { images, channels, pixels } = channelLayout(shapes[0]!);
  const count = images * pixels;
  for (let c = 0; c < channels; c++) {
    let total = 0;
    for (let n = 0; n < images; n++) {
      const first = (n * channels + c) * pixels;
      for (let p = first; p < first + pixels; p++) total += from[p]!;
    }
    const mean = total / count;
    // A second pass: E[x²] − mean² would lose the variance when |mean| is far above the deviation.
    let squares = 0;
    for (let n = 0; n < images; n++) {
      const first = (n * channels + c) * pixels;
      for (let p = first; p < first + pixels; p++) squares += (from[p]! - mean) ** 2;
    }
    y[c] = mean;
    y[channels + c] = squares / count;
  }
};

export const normalize: Kernel<"normalize"> = ({ node, x, y }) => {
  const from = operand(x, 0);
  const [mean, scale, shift] = [operand(x, 1), operand(x, 2), operand(x, 3)];
  const residual = node.attributes.residual ? operand(x, 4) : undefined;
  const { channels, pixels } = channelLayout(node.shape);
  for (let i = 0; i < y.length; i++) {
    const c = Math.floor(i / pixels) % channels;
    const value =
      (from[i]! - mean[c]!) * scale[c]! + shift[c]! + (residual === undefined ? 0 : residual[i]!);
    y[i] = node.attributes.relu ? rectified(value) : value;
  }
};

export const normalizeGradSums: Kernel<"normalizeGradSums"> = ({ x, shapes, y }) => {
  const [g, from, mean] = [operand(x, 0), operand(x, 1), operand(x, 2)];
  const { channels, pixels } = channelLayout(shapes[1]!);
  const sums = new Float64Array(2 * channels);
  for (let i = 0; i < from.length; i++) {
    const c = Math.floor(i / pixels) % channels;
    sums[c]! += g[i]!;
    sums[channels + c]! += g[i]! * (from[i]! - mean[c]!);
  }
  y.set(sums);
};

export const normalizeInputGrad: Kernel<"normalizeInputGrad"> = ({ node, x, y }) => {
  const [g, from, gScale] = [operand(x, 0), operand(x, 1), operand(x, 2)];
  const [mean, xScale, shift] = [operand(x, 3), operand(x, 4), operand(x, 5)];
  const { channels, pixels } = channelLayout(node.shape);
  for (let i = 0; i < y.length; i++) {
    const c = Math.floor(i / pixels) % channels;
    y[i] = g[i]! * gScale[c]! + (from[i]! - mean[c]!) * xScale[c]! + shift[c]!;
  }
};
