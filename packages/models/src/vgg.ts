// VGG (Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
// ICLR 2015) with normalization, as torchvision builds it: VGG-11, 13, 16 and 19.

import { dense, dropout, type Model, maxPool, type Scope } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { checkOptions, reshape, sizeOf, type Tensor } from "@fewnorm/tensor";
import { classifier, imagenet, type ModelOptions, modelOptions, planOf } from "./classifier.ts";

/** Convolutions of each of the five stages. */
const plans = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
} as const;

/** Options of {@link vgg}; by default 1000 classes and images of [3, 224, 224]. */
export interface VggOptions extends ModelOptions {
  /** Layers with weights. */
  readonly depth: keyof typeof plans;
  /** Channels of the first stage, 64 as published; the next have 2, 4, 8 and 8 times as many. */
  readonly width?: number;
  /**
   * Units of the two dense layers before the last. By default 4096, as published, or for images whose
   * shorter side is below 64 pixels none, as is usual for these.
   */
  readonly hidden?: number;
  /** Share of the hidden units that is dropped in training. Default 0.5. */
  readonly dropout?: number;
}

/**
 * A VGG: 3×3 convolutions with bias, each normalized, max pooling after every stage (as long as there is
 * more than one pixel), dense layers. Named as in torchvision: `features.0`, `features.1`, …,
 * `classifier.0`, `classifier.3`, `classifier.6`, or `classifier` alone without hidden layers. VGG-16 has
 * 138,365,992 parameters with batch norm.
 * @throws RangeError for a depth that is none of these.
 */
export function vgg(options: VggOptions): Model {
  checkOptions("vgg", options, {
    ...modelOptions,
    depth: "number",
    width: "number",
    hidden: "number",
    dropout: "number",
  });
  const { depth, norm, width = 64, dropout: rate = 0.5 } = options;
  const plan: readonly number[] = planOf("vgg", plans, depth);
  return classifier(`vgg${depth}`, options, imagenet, (scope, images, classes) => {
    const side = Math.min(...images.shape.slice(2));
    const { hidden = side < 64 ? 0 : 4096 } = options;
    const x = features(scope.at("features"), norm, images, plan, width);
    const flat = reshape(x, [x.shape[0] ?? 1, sizeOf(x.shape.slice(1))]);
    if (hidden === 0) return dense(scope, "classifier", flat, { units: classes });
    const inner = scope.at("classifier");
    const layer = (name: string, from: Tensor, dropped: string) =>
      dropout(inner, dropped, dense(inner, name, from, { units: hidden, relu: true }), rate);
    return dense(inner, "6", layer("3", layer("0", flat, "2"), "5"), { units: classes });
  });
}

function features(
  scope: Scope,
  norm: Norm,
  images: Tensor,
  plan: readonly number[],
  width: number,
): Tensor {
  let x = images;
  let index = 0; // torchvision counts convolutions, norms, ReLUs and poolings in one sequence
  for (const [stage, layers] of plan.entries()) {
    const channels = width * Math.min(2 ** stage, 8);
    for (let i = 0; i < layers; i++, index += 3) {
      const names = { linear: `${index}`, norm: `${index + 1}` };
      const convolution = { channels, kernel: 3, padding: 1, bias: true, relu: true };
      x = norm.conv2d(scope, names, x, convolution);
    }
    const [, , height = 1, columns = 1] = x.shape;
    if (Math.min(height, columns) > 1) x = maxPool(x, { kernel: 2 });
    index++;
  }
  return x;
}
