// DenseNet (Huang et al., "Densely Connected Convolutional Networks", CVPR 2017) with bottlenecks and
// compression, as torchvision builds it: DenseNet-121, and DenseNet-BC-100 for small images.

import {
  averagePool,
  conv2d,
  dense,
  globalAveragePool,
  joinChannels,
  type Model,
  maxPool,
  type Scope,
} from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { checkOptions, type Tensor } from "@fewnorm/tensor";
import {
  checkCounts,
  cifar,
  classifier,
  imagenet,
  type ModelOptions,
  modelOptions,
  planOf,
} from "./classifier.ts";

const plans = {
  /** DenseNet-BC, for small images. */
  100: { blocks: [16, 16, 16], growth: 12, small: true },
  121: { blocks: [6, 12, 24, 16], growth: 32, small: false },
} as const;

/** Options of {@link densenet}; by default for what the depth was published for. */
export interface DenseNetOptions extends ModelOptions {
  /** Layers: 100 for small images, 121 for large ones. */
  readonly depth: keyof typeof plans;
  /** k: channels that a layer adds; by default 12 for 100 and 32 for 121. */
  readonly growth?: number;
  /** Layers of each block, where they are not to be the depth's. */
  readonly blocks?: readonly number[];
}

/**
 * A DenseNet-BC: every layer sees all channels before it in its block, transitions halve channels and maps
 * (as long as there is more than one pixel). Named as in torchvision: `features.conv0`,
 * `features.denseblock1.denselayer1.norm1`, …, `features.transition1.norm`, …, `features.norm5`,
 * `classifier`. DenseNet-121 has 7,978,856 parameters with batch norm, DenseNet-BC-100 769,162.
 * @throws RangeError for another depth.
 */
export function densenet(options: DenseNetOptions): Model {
  checkOptions("densenet", options, {
    ...modelOptions,
    depth: "number",
    growth: "number",
    blocks: "array",
  });
  const { depth, norm } = options;
  const plan = planOf<keyof typeof plans, (typeof plans)[keyof typeof plans]>(
    "densenet",
    plans,
    depth,
  );
  const { small } = plan;
  const { growth = plan.growth, blocks = plan.blocks } = options;
  checkCounts("densenet", "blocks", blocks);
  const published = small ? cifar : imagenet;
  return classifier(`densenet${depth}`, options, published, (outer, images, classes) => {
    const scope = outer.at("features");
    let x = small ? smallStem(scope, images, growth) : stem(scope, norm, images, growth);
    for (const [i, layers] of blocks.entries()) {
      if (i > 0) x = transition(scope.at(`transition${i}`), norm, x);
      const block = scope.at(`denseblock${i + 1}`);
      for (let layer = 1; layer <= layers; layer++) {
        x = joinChannels(x, denseLayer(block.at(`denselayer${layer}`), norm, x, growth));
      }
    }
    const active = norm.layer(scope, "norm5", x, { relu: true });
    return dense(outer, "classifier", globalAveragePool(active), { units: classes });
  });
}

function stem(scope: Scope, norm: Norm, images: Tensor, growth: number): Tensor {
  const options = { channels: 2 * growth, kernel: 7, stride: 2, padding: 3, relu: true };
  const x = norm.conv2d(scope, { linear: "conv0", norm: "norm0" }, images, options);
  return maxPool(x, { kernel: 3, stride: 2, padding: 1 });
}

const smallStem = (scope: Scope, images: Tensor, growth: number): Tensor =>
  conv2d(scope, "conv0", images, { channels: 2 * growth, kernel: 3, padding: 1, bias: false });

/** conv 3×3(relu(norm(conv 1×1(relu(norm(x)))))) with 4·growth channels between the two. */
function denseLayer(scope: Scope, norm: Norm, x: Tensor, growth: number): Tensor {
  const active = norm.layer(scope, "norm1", x, { relu: true });
  const narrow = { channels: 4 * growth, kernel: 1, relu: true };
  const y = norm.conv2d(scope, { linear: "conv1", norm: "norm2" }, active, narrow);
  return conv2d(scope, "conv2", y, { channels: growth, kernel: 3, padding: 1, bias: false });
}

function transition(scope: Scope, norm: Norm, x: Tensor): Tensor {
  const [, channels = 1, height = 1, width = 1] = x.shape;
  const active = norm.layer(scope, "norm", x, { relu: true });
  const options = { channels: Math.floor(channels / 2), kernel: 1, bias: false };
  const y = conv2d(scope, "conv", active, options);
  return Math.min(height, width) > 1 ? averagePool(y, 2) : y;
}
