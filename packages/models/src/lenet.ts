// A small network to learn with, after LeNet-5 (LeCun et al., "Gradient-Based Learning Applied to Document
// Recognition", Proc. IEEE 1998): with ReLU, max pooling and normalization.

import { dense, type Model, maxPool } from "@fewnorm/nn";
import { checkOptions, reshape, sizeOf } from "@fewnorm/tensor";
import { classifier, type ModelOptions, modelOptions } from "./classifier.ts";

/**
 * Two convolutions, each normalized and pooled, and three dense layers, of which two are normalized:
 * `conv1`, `bn1`, `conv2`, `bn2`, `fc1`, `bn3`, `fc2`, `bn4`, `fc3`. By default for 10 classes of
 * [1, 28, 28]; without normalization it has 61,706 parameters, as LeNet-5 is usually counted.
 * @throws RangeError for images below 12×12, of which the second pooling would leave nothing.
 */
export function lenet(options: ModelOptions): Model {
  checkOptions("lenet", options, modelOptions);
  const { norm } = options;
  const published = { classes: 10, inputShape: [1, 28, 28] } as const;
  const [, height, width] = options.inputShape ?? published.inputShape;
  if (Math.min(height, width) < 12) {
    throw new RangeError(
      `lenet: images of ${height}×${width} are too small; give 12×12 or larger ones`,
    );
  }
  return classifier("lenet", options, published, (scope, images, classes) => {
    const names = (linear: string, i: number) => ({ linear, norm: `bn${i}` });
    const first = { channels: 6, kernel: 5, padding: 2, relu: true };
    const a = maxPool(norm.conv2d(scope, names("conv1", 1), images, first), { kernel: 2 });
    const second = { channels: 16, kernel: 5, relu: true };
    const b = maxPool(norm.conv2d(scope, names("conv2", 2), a, second), { kernel: 2 });
    const flat = reshape(b, [b.shape[0] ?? 1, sizeOf(b.shape.slice(1))]);
    const c = norm.dense(scope, names("fc1", 3), flat, { units: 120, relu: true });
    const d = norm.dense(scope, names("fc2", 4), c, { units: 84, relu: true });
    return dense(scope, "fc3", d, { units: classes });
  });
}
