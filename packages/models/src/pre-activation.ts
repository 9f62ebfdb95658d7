// Networks of pre-activation blocks (He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016):
// the pre-activation ResNets for small images, and Wide ResNets (Zagoruyko and Komodakis, BMVC 2016).

import { conv2d, dense, dropout, globalAveragePool, type Model, type Scope } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { checkOptions, type Tensor } from "@fewnorm/tensor";
import { cifar, classifier, type ModelOptions, modelOptions } from "./classifier.ts";

/** Options of {@link preActivationResnet}. */
export interface PreActivationResNetOptions extends ModelOptions {
  /** 6n + 2, or with bottlenecks 9n + 2, such as 164. */
  readonly depth: number;
  /** Blocks of 1×1, 3×3 and 1×1 convolutions. Default false. */
  readonly bottleneck?: boolean;
  /** Channels of the first stage, 16 as published; the next have twice and four times as many. */
  readonly width?: number;
}

/**
 * A pre-activation ResNet for small images, with 1×1 convolutions as shortcuts where shapes change. Named
 * `conv1`, `layer1.0.bn1`, `layer1.0.conv1`, …, `layer2.0.shortcut.0`, …, `bn`, `fc`. PreResNet-20 has
 * 272,282 parameters with batch norm, PreResNet-164 of bottlenecks 1,703,258.
 * @throws RangeError for a depth that does not fit.
 */
export function preActivationResnet(options: PreActivationResNetOptions): Model {
  checkOptions("preActivationResnet", options, {
    ...modelOptions,
    depth: "number",
    bottleneck: "boolean",
    width: "number",
  });
  const { depth, norm, bottleneck = false, width = 16 } = options;
  const blocks = blocksOf("preActivationResnet", depth, bottleneck ? 9 : 6, 2);
  return classifier(`preresnet${depth}`, options, cifar, (scope, images, classes) => {
    let x = conv2d(scope, "conv1", images, { ...same(width), bias: false });
    for (let stage = 0; stage < 3; stage++) {
      x = stageOf(scope.at(`layer${stage + 1}`), norm, x, {
        ...{ blocks, bottleneck, rate: 0, shortcut: "shortcut.0" },
        channels: width * 2 ** stage,
        stride: stage === 0 ? 1 : 2,
      });
    }
    return head(scope, norm, "bn", x, classes);
  });
}

/** Options of {@link wideResnet}. */
export interface WideResNetOptions extends ModelOptions {
  /** 6n + 4, such as 28. */
  readonly depth: number;
  /** k: the stages have 16k, 32k and 64k channels. */
  readonly widen: number;
  /** Share of the activations between a block's convolutions that is dropped in training. Default 0. */
  readonly dropout?: number;
}

/**
 * WRN-depth-k. Named as in its PyTorch ports: `conv1`, `block1.layer.0.bn1`, `block1.layer.0.conv1`, …,
 * `block1.layer.0.convShortcut`, …, `bn1`, `fc`. WRN-28-10 has 36,479,194 parameters with batch norm.
 * @throws RangeError for a depth that is not 6n + 4.
 */
export function wideResnet(options: WideResNetOptions): Model {
  checkOptions("wideResnet", options, {
    ...modelOptions,
    depth: "number",
    widen: "number",
    dropout: "number",
  });
  const { depth, norm, widen, dropout: rate = 0 } = options;
  const blocks = blocksOf("wideResnet", depth, 6, 4);
  return classifier(`wrn${depth}-${widen}`, options, cifar, (scope, images, classes) => {
    let x = conv2d(scope, "conv1", images, { ...same(16), bias: false });
    for (let stage = 0; stage < 3; stage++) {
      x = stageOf(scope.at(`block${stage + 1}.layer`), norm, x, {
        ...{ blocks, bottleneck: false, rate, shortcut: "convShortcut" },
        channels: 16 * widen * 2 ** stage,
        stride: stage === 0 ? 1 : 2,
      });
    }
    return head(scope, norm, "bn1", x, classes);
  });
}

function blocksOf(where: string, depth: number, layers: number, others: number): number {
  const blocks = (depth - others) / layers;
  if (Number.isSafeInteger(blocks) && blocks >= 1) return blocks;
  throw new RangeError(
    `${where}: depth is ${depth}; give ${layers}n + ${others}, such as ${[1, 2, 3].map((n) => layers * n + others).join(", ")}`,
  );
}

const same = (channels: number) => ({ channels, kernel: 3, padding: 1 });

interface Stage {
  readonly blocks: number;
  readonly bottleneck: boolean;
  readonly channels: number;
  /** Of the first block. */
  readonly stride: number;
  /** Of the dropout. */
  readonly rate: number;
  /** Name of the shortcut's convolution. */
  readonly shortcut: string;
}

function stageOf(scope: Scope, norm: Norm, x: Tensor, stage: Stage): Tensor {
  let y = x;
  for (let i = 0; i < stage.blocks; i++) {
    y = block(scope.at(`${i}`), norm, y, i === 0 ? stage : { ...stage, stride: 1 });
  }
  return y;
}

/**
 * conv(relu(norm(conv(relu(norm(x)))))) + shortcut. A shortcut that changes shape takes relu(norm(x)) as well.
 * Norms follow a convolution directly but for the first.
 */
function block(scope: Scope, norm: Norm, x: Tensor, stage: Stage): Tensor {
  const { channels, stride, bottleneck, rate } = stage;
  const outputs = bottleneck ? 4 * channels : channels;
  const active = norm.layer(scope, "bn1", x, { relu: true });
  const unchanged = stride === 1 && x.shape[1] === outputs;
  const projection = { channels: outputs, kernel: 1, stride, bias: false };
  const residual = unchanged ? x : conv2d(scope, stage.shortcut, active, projection);
  if (!bottleneck) {
    const inner = { ...same(channels), stride, relu: true };
    const y = norm.conv2d(scope, { linear: "conv1", norm: "bn2" }, active, inner);
    const kept = dropout(scope, "dropout", y, rate);
    return conv2d(scope, "conv2", kept, { ...same(channels), bias: false, residual });
  }
  const narrow = norm.conv2d(scope, { linear: "conv1", norm: "bn2" }, active, {
    ...{ channels, kernel: 1, relu: true },
  });
  const y = norm.conv2d(scope, { linear: "conv2", norm: "bn3" }, narrow, {
    ...same(channels),
    ...{ stride, relu: true },
  });
  return conv2d(scope, "conv3", y, { channels: outputs, kernel: 1, bias: false, residual });
}

function head(scope: Scope, norm: Norm, name: string, x: Tensor, classes: number): Tensor {
  const active = norm.layer(scope, name, x, { relu: true });
  return dense(scope, "fc", globalAveragePool(active), { units: classes });
}
