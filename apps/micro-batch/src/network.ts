// The network that the demo trains: so small that curves move within seconds, and with what breaks batch
// normalization of few images: a last layer whose maps are single pixels.

import { dense, globalAveragePool, type Model } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import type { Tensor } from "@fewnorm/tensor";

/** Channels of the layers. Each halves height and width: maps of 28×28 shrink to 14, 7, 4, 2 and 1. */
const widths = [16, 32, 64, 64, 64];

/** Is shown what comes out of each convolution, normalization and ReLU included. */
export type SeeLayer = (name: string, x: Tensor) => void;

export interface NetworkOptions {
  readonly norm: Norm;
  readonly classes: number;
  /** [C, H, W] of an image. */
  readonly inputShape: readonly [number, number, number];
  readonly see?: SeeLayer;
}

/**
 * Five 3×3 convolutions at stride 2, each normalized and with a ReLU behind it: `conv1`, `bn1` to `conv5`, `bn5`, and
 * the dense layer `fc`. In the last of them a channel has one value for each image, so that 2 images
 * normalize to +1 and −1, whatever they show.
 */
export function network({ norm, classes, inputShape, see }: NetworkOptions): Model {
  return {
    name: "five convolutions",
    inputShape,
    classes,
    virtualImages: norm.virtualImages,
    logits(scope, images) {
      let x = images;
      for (const [i, channels] of widths.entries()) {
        const names = { linear: `conv${i + 1}`, norm: `bn${i + 1}` };
        x = norm.conv2d(scope, names, x, {
          channels,
          kernel: 3,
          padding: 1,
          stride: 2,
          relu: true,
        });
        see?.(names.linear, x);
      }
      return dense(scope, "fc", globalAveragePool(x), { units: classes });
    },
  };
}
