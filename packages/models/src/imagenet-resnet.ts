// Residual networks for large images (He et al., "Deep Residual Learning for Image Recognition",
// CVPR 2016, section 4.1) as torchvision builds them: ResNet-18, 34, 50, 101 and 152.

import { dense, globalAveragePool, type Model, maxPool, type Scope } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { checkOptions, type Tensor } from "@fewnorm/tensor";
import {
  checkCounts,
  classifier,
  imagenet,
  type ModelOptions,
  modelOptions,
  planOf,
} from "./classifier.ts";

const plans = {
  18: { blocks: [2, 2, 2, 2], bottleneck: false },
  34: { blocks: [3, 4, 6, 3], bottleneck: false },
  50: { blocks: [3, 4, 6, 3], bottleneck: true },
  101: { blocks: [3, 4, 23, 3], bottleneck: true },
  152: { blocks: [3, 8, 36, 3], bottleneck: true },
} as const;

/** The depths that were published. */
export type ImagenetResNetDepth = keyof typeof plans;
type Plan = (typeof plans)[ImagenetResNetDepth];

/** Options of {@link imagenetResnet}; by default 1000 classes and images of [3, 224, 224]. */
export interface ImagenetResNetOptions extends ModelOptions {
  /** Layers with weights; from 50 on blocks are bottlenecks. */
  readonly depth: ImagenetResNetDepth;
  /** Channels of the first stage, 64 as published; each further stage has twice as many. */
  readonly width?: number;
  /** Blocks of each stage, where they are not to be the depth's. */
  readonly blocks?: readonly number[];
}

/**
 * A ResNet with a 7×7 stem, max pooling and projection shortcuts; from 50 on of bottlenecks, which stride
 * at their 3×3 convolution. Named as in torchvision: `conv1`, `bn1`, `layer1.0.conv1`, …,
 * `layer2.0.downsample.0`, …, `fc`. ResNet-18 has 11,689,512 parameters with batch norm, ResNet-50 25,557,032.
 * @throws RangeError for another depth.
 */
export function imagenetResnet(options: ImagenetResNetOptions): Model {
  checkOptions("imagenetResnet", options, {
    ...modelOptions,
    depth: "number",
    width: "number",
    blocks: "array",
  });
  const { depth, norm, width = 64 } = options;
  const { bottleneck, blocks: published } = planOf<ImagenetResNetDepth, Plan>(
    "imagenetResnet",
    plans,
    depth,
  );
  const { blocks = published } = options;
  checkCounts("imagenetResnet", "blocks", blocks);
  const block = bottleneck ? bottleneckBlock : basicBlock;
  return classifier(`resnet${depth}`, options, imagenet, (scope, images, classes) => {
    const stem = { channels: width, kernel: 7, stride: 2, padding: 3, relu: true };
    const stemmed = norm.conv2d(scope, { linear: "conv1", norm: "bn1" }, images, stem);
    let x = maxPool(stemmed, { kernel: 3, stride: 2, padding: 1 });
    for (const [stage, count] of blocks.entries()) {
      const layer = scope.at(`layer${stage + 1}`);
      for (let i = 0; i < count; i++) {
        const stride = stage > 0 && i === 0 ? 2 : 1;
        x = block(layer.at(`${i}`), norm, x, width * 2 ** stage, stride);
      }
    }
    return dense(scope, "fc", globalAveragePool(x), { units: classes });
  });
}

const names = (i: number) => ({ linear: `conv${i}`, norm: `bn${i}` });

/** relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)). */
function basicBlock(scope: Scope, norm: Norm, x: Tensor, channels: number, stride: number): Tensor {
  const inner = { channels, kernel: 3, padding: 1, relu: true };
  const y = norm.conv2d(scope, names(1), x, { ...inner, stride });
  const residual = shortcut(scope, norm, x, channels, stride);
  return norm.conv2d(scope, names(2), y, { ...inner, residual });
}

/** The same of a 1×1, a 3×3 and a 1×1 convolution to four times the channels. */
function bottleneckBlock(
  scope: Scope,
  norm: Norm,
  x: Tensor,
  channels: number,
  stride: number,
): Tensor {
  const narrow = norm.conv2d(scope, names(1), x, { channels, kernel: 1, relu: true });
  const inner = { channels, kernel: 3, padding: 1, stride, relu: true };
  const y = norm.conv2d(scope, names(2), narrow, inner);
  const residual = shortcut(scope, norm, x, 4 * channels, stride);
  return norm.conv2d(scope, names(3), y, {
    channels: 4 * channels,
    kernel: 1,
    relu: true,
    residual,
  });
}

/** x, or norm(conv 1×1(x)) where its shape changes. */
function shortcut(scope: Scope, norm: Norm, x: Tensor, channels: number, stride: number): Tensor {
  if (stride === 1 && x.shape[1] === channels) return x;
  const projection = { linear: "downsample.0", norm: "downsample.1" };
  return norm.conv2d(scope, projection, x, { channels, kernel: 1, stride });
}
