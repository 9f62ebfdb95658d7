// What lies between layers and has no parameters: pooling, joined channels, clipping, dropout.

import {
  add,
  checkKind,
  checkTensor,
  conv2d,
  maxPool as largest,
  type MaxPoolOptions,
  mean,
  multiply,
  pad,
  relu,
  type Shape,
  sameShape,
  showShape,
  sizeOf,
  subtract,
  type Tensor,
  uniform,
} from "@fewnorm/tensor";
import type { Scope } from "./scope.ts";

/**
 * The mean of each feature map: [N, C, H, W] → [N, C].
 * @throws RangeError for anything but maps.
 */
export function globalAveragePool(x: Tensor): Tensor {
  mapsOf("globalAveragePool", x);
  return x.builder.labelled("global average pool", () => mean(x, [2, 3]));
}

/** The largest value of each window, see tensor's maxPool: [N, C, H, W] → [N, C, ⌊(H + 2·padding − kernel)/stride⌋ + 1, …]. */
export function maxPool(x: Tensor, options: MaxPoolOptions): Tensor {
  return x.builder.labelled("max pool", () => largest(x, options));
}

/**
 * The means of windows of size × size pixels that lie side by side: [N, C, H, W] →
 * [N, C, ⌊H/size⌋, ⌊W/size⌋]. A convolution of each channel with a constant, which it equals.
 * @throws RangeError for anything but maps, and for a size that is no whole number from 1 to that of the map.
 */
export function averagePool(x: Tensor, size: number): Tensor {
  const [, channels, height, width] = mapsOf("averagePool", x);
  if (!Number.isInteger(size) || size < 1 || size > Math.min(height, width)) {
    throw new RangeError(
      `averagePool: size is ${size}, and the map ${height}x${width}; give a whole number from 1 to ${Math.min(height, width)}`,
    );
  }
  const weight = x.builder.constant(1 / size ** 2, [channels, 1, size, size]);
  return x.builder.labelled("average pool", () =>
    conv2d(x, weight, { stride: size, groups: channels }),
  );
}

/**
 * The channels of a, then those of b: [N, A, H, W] and [N, B, H, W] → [N, A + B, H, W], [N, A] and [N, B] → [N, A + B].
 * @throws RangeError where something but the channels differs.
 */
export function joinChannels(a: Tensor, b: Tensor): Tensor {
  checkTensor("joinChannels", a);
  checkTensor("joinChannels", b);
  const [n = 1, channels = 1, ...map] = a.shape;
  if (!sameShape([n, ...map], [...b.shape.slice(0, 1), ...b.shape.slice(2)])) {
    throw new RangeError(
      `joinChannels: ${showShape(a.shape)} and ${showShape(b.shape)} differ in more than their channels; bring them to the same size first`,
    );
  }
  const shape: Shape = [n, channels + (b.shape[1] ?? 1), ...map];
  const from = (channel: number): Shape => shape.map((_, axis) => (axis === 1 ? channel : 0));
  return a.builder.labelled("join channels", () =>
    add(pad(a, { before: from(0), shape }), pad(b, { before: from(channels), shape })),
  );
}

function mapsOf(where: string, x: Tensor): readonly [number, number, number, number] {
  checkTensor(where, x);
  const { shape } = x;
  const [n, channels, height, width] = shape;
  if (shape.length !== 4 || !n || !channels || !height || !width) {
    throw new RangeError(`${where}: the input is ${showShape(shape)}; it must be [N, C, H, W]`);
  }
  return [n, channels, height, width];
}

/** min(x, limit), as x − max(x − limit, 0). Behind a ReLU and with 6 it makes a ReLU6. */
export const atMost = (x: Tensor, limit: number): Tensor =>
  x.builder.labelled("at most", () => subtract(x, relu(subtract(x, limit))));

/**
 * Dropout (Srivastava et al., JMLR 2014): in training each element is zero with probability `rate`
 * and divided by 1 − rate else, drawn anew at each step; in evaluation, and wherever scope.dropping is false, it is x.
 * @throws RangeError for a rate outside [0, 1).
 */
export function dropout(scope: Scope, name: string, x: Tensor, rate: number): Tensor {
  checkKind("dropout", "the rate", rate, "number");
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`dropout: the rate is ${rate}; give a number from 0 to below 1`);
  }
  if (!scope.dropping || rate === 0) return x;
  const mask = scope.drawn(`${name}.mask`, x.shape, "float32", (key) =>
    uniform(key, sizeOf(x.shape)).map((value) => (value < rate ? 0 : 1 / (1 - rate))),
  );
  return x.builder.labelled("dropout", () => multiply(x, mask));
}
