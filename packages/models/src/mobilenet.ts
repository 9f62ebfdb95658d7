// MobileNetV2 (Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018), as
// torchvision builds it.

import { atMost, dense, dropout, globalAveragePool, type Model, type Scope } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { checkOptions, type Tensor } from "@fewnorm/tensor";
import { classifier, imagenet, type ModelOptions, modelOptions } from "./classifier.ts";

/** Table 2 of the paper: expansion, channels, blocks, stride of the first of them. */
const table = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Options of {@link mobilenetV2}; by default 1000 classes and images of [3, 224, 224]. */
export interface MobileNetOptions extends ModelOptions {
  /** What all channels are multiplied with, rounded to multiples of 8. Default 1. */
  readonly width?: number;
  /** Rows of the paper's table 2, where not all are wanted. */
  readonly stages?: readonly number[];
  /** Share of the last features that is dropped in training. Default 0.2. */
  readonly dropout?: number;
}

/**
 * MobileNetV2. Named as in torchvision: `features.0.0`, `features.0.1`, `features.1.conv.0.0`, …,
 * `features.18.0`, `classifier.1`. It has 3,504,872 parameters with batch norm.
 * @throws RangeError for a width that is no number above 0, and for a stage that there is not.
 */
export function mobilenetV2(options: MobileNetOptions): Model {
  checkOptions("mobilenetV2", options, {
    ...modelOptions,
    width: "number",
    stages: "array",
    dropout: "number",
  });
  const { norm, width = 1, stages = table.keys(), dropout: rate = 0.2 } = options;
  if (!(width > 0 && width < Infinity)) {
    throw new RangeError(`mobilenetV2: width is ${width}; give a number above 0, e.g. 0.5`);
  }
  const channelsOf = (channels: number) => multipleOf8(channels * width);
  const plan = [...stages].map((stage) => {
    const row = table[stage];
    if (row !== undefined) return row;
    throw new RangeError(
      `mobilenetV2: there is no stage ${stage}; give some of 0 ... ${table.length - 1}`,
    );
  });
  return classifier("mobilenetv2", options, imagenet, (scope, images, classes) => {
    const features = scope.at("features");
    const stem = { channels: channelsOf(32), kernel: 3, stride: 2, padding: 1 };
    let x = clipped(features.at("0"), norm, images, stem);
    let index = 1;
    for (const [expansion, channels, blocks, first] of plan) {
      for (let i = 0; i < blocks; i++, index++) {
        const sizes = { expansion, channels: channelsOf(channels), stride: i === 0 ? first : 1 };
        x = invertedResidual(features.at(`${index}.conv`), norm, x, sizes);
      }
    }
    const last = { channels: multipleOf8(1280 * Math.max(1, width)), kernel: 1 };
    const pooled = globalAveragePool(clipped(features.at(`${index}`), norm, x, last));
    const inner = scope.at("classifier");
    return dense(inner, "1", dropout(inner, "0", pooled, rate), { units: classes });
  });
}

/** The nearest multiple of 8 that is not below 90% of the number. */
function multipleOf8(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** ReLU6(norm(conv(x))). */
function clipped(scope: Scope, norm: Norm, x: Tensor, spec: Parameters<Norm["conv2d"]>[3]): Tensor {
  return atMost(norm.conv2d(scope, { linear: "0", norm: "1" }, x, { ...spec, relu: true }), 6);
}

/** Expands to more channels, convolves each of them, and projects to few; adds x where it fits. */
function invertedResidual(
  scope: Scope,
  norm: Norm,
  x: Tensor,
  { expansion, channels, stride }: { expansion: number; channels: number; stride: number },
): Tensor {
  const inputs = x.shape[1] ?? 1;
  const inner = inputs * expansion;
  let index = 0;
  let y = x;
  if (expansion > 1) y = clipped(scope.at(`${index++}`), norm, y, { channels: inner, kernel: 1 });
  const depthwise = { channels: inner, kernel: 3, stride, padding: 1, groups: inner };
  y = clipped(scope.at(`${index++}`), norm, y, depthwise);
  const residual = stride === 1 && inputs === channels ? x : undefined;
  const names = { linear: `${index}`, norm: `${index + 1}` };
  return norm.conv2d(scope, names, y, { channels, kernel: 1, residual });
}
