// Residual networks for small images (He et al., "Deep Residual Learning for Image Recognition",
// CVPR 2016, section 4.2): ResNet-20, 32, 44, 56 and 110.

import { dense, globalAveragePool, type Model, type Scope } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { checkOptions, pad, slice, type Tensor } from "@fewnorm/tensor";
import { cifar, classifier, type ModelOptions, modelOptions } from "./classifier.ts";

/** The published depths; any 6n + 2 works. */
export type ResNetDepth = 20 | 32 | 44 | 56 | 110;

/** Options of {@link resnet}. */
export interface ResNetOptions extends ModelOptions {
  /** 6n + 2: n blocks of two convolutions in each of the three stages. */
  readonly depth: ResNetDepth | (number & {});
  /** Channels of the first stage, 16 as published; the next have twice and four times as many. */
  readonly width?: number;
}

/**
 * A CIFAR ResNet with parameter-free shortcuts (option A). Parameters are named as in PyTorch:
 * `conv1`, `bn1`, `layer1.0.conv1`, `layer1.0.bn1`, …, `fc`. ResNet-20 has 269,722 parameters
 * with batch norm, 3 input channels and 10 classes.
 * @throws RangeError for a depth that is not 6n + 2.
 */
export function resnet(options: ResNetOptions): Model {
  checkOptions("resnet", options, { ...modelOptions, depth: "number", width: "number" });
  const { depth, norm, width = 16 } = options;
  const blocks = (depth - 2) / 6;
  if (!Number.isSafeInteger(blocks) || blocks < 1) {
    throw new RangeError(`resnet: depth is ${depth}; give 6n + 2, such as 20, 32, 44, 56 or 110`);
  }
  return classifier(`resnet${depth}`, options, cifar, (scope, images, classes) => {
    const stem = { channels: width, kernel: 3, padding: 1, relu: true };
    let x = norm.conv2d(scope, { linear: "conv1", norm: "bn1" }, images, stem);
    for (const [stage, channels] of [width, 2 * width, 4 * width].entries()) {
      const layer = scope.at(`layer${stage + 1}`);
      for (let block = 0; block < blocks; block++) {
        const stride = stage > 0 && block === 0 ? 2 : 1;
        x = basicBlock(layer.at(`${block}`), norm, x, channels, stride);
      }
    }
    return dense(scope, "fc", globalAveragePool(x), { units: classes });
  });
}

/** relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)). */
function basicBlock(scope: Scope, norm: Norm, x: Tensor, channels: number, stride: number): Tensor {
  const inner = { channels, kernel: 3, padding: 1, relu: true };
  const y = norm.conv2d(scope, { linear: "conv1", norm: "bn1" }, x, { ...inner, stride });
  const residual = shortcut(scope, x, channels, stride);
  return norm.conv2d(scope, { linear: "conv2", norm: "bn2" }, y, { ...inner, residual });
}

/** Option A: every `stride`-th pixel, with zero channels half in front and half behind. */
function shortcut(scope: Scope, x: Tensor, channels: number, stride: number): Tensor {
  const [n = 1, c = 1, h = 1, w = 1] = x.shape;
  if (stride === 1 && c === channels) return x;
  return scope.builder.labelled(`${scope.path}.shortcut`, () => {
    const pixels = [n, c, Math.ceil(h / stride), Math.ceil(w / stride)];
    const fewer = slice(x, { start: [0, 0, 0, 0], stride: [1, 1, stride, stride], shape: pixels });
    return pad(fewer, {
      before: [0, Math.floor((channels - c) / 2), 0, 0],
      shape: [n, channels, ...pixels.slice(2)],
    });
  });
}
