// A tiny model and a tiny data set, quick on the reference backend.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createDataset, type Dataset } from "@fewnorm/data";
import { conv2d, dense, globalAveragePool, type Model } from "@fewnorm/nn";
import { batchNorm, type Norm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { foldIn, key, randomBits } from "@fewnorm/tensor";
import { createTrainer, sgd, type Trainer, type TrainerOptions } from "@fewnorm/train";

/** A convolution with sampled batch norm, one with bias, and a dense layer: states and draws of every kind. */
export function tinyModel(
  name = "tiny",
  norm: Norm = batchNorm({ sampling: batchSampling({ images: 2 }) }),
): Model {
  return {
    name,
    inputShape: [1, 6, 6],
    classes: 3,
    virtualImages: norm.virtualImages,
    logits(scope, images) {
      const first = { channels: 4, kernel: 3, padding: 1, relu: true };
      const x = norm.conv2d(scope, { linear: "conv1", norm: "bn1" }, images, first);
      const y = conv2d(scope, "conv2", x, { channels: 4, kernel: 3, stride: 2, relu: true });
      return dense(scope, "fc", globalAveragePool(y), { units: 3 });
    },
  };
}

/** A stem, two residual blocks of which one has a stride, and a normalized dense layer. */
export function residualModel(norm: Norm): Model {
  return {
    name: "residual",
    inputShape: [1, 6, 6],
    classes: 3,
    virtualImages: norm.virtualImages,
    logits(scope, images) {
      const spec = { channels: 4, kernel: 3, padding: 1, relu: true };
      let x = norm.conv2d(scope, { linear: "conv1", norm: "bn1" }, images, spec);
      for (const [name, stride] of [
        ["layer1", 1],
        ["layer2", 2],
      ] as const) {
        const block = scope.at(name);
        const shape = { ...spec, stride };
        const y = norm.conv2d(block, { linear: "conv1", norm: "bn1" }, x, shape);
        const residual =
          stride === 1
            ? x
            : conv2d(block, "shortcut", x, { channels: 4, kernel: 1, stride, bias: false });
        x = norm.conv2d(block, { linear: "conv2", norm: "bn2" }, y, { ...spec, residual });
      }
      const hidden = { units: 4, relu: true };
      const z = norm.dense(scope, { linear: "fc1", norm: "bn3" }, globalAveragePool(x), hidden);
      return dense(scope, "fc2", z, { units: 3 });
    },
  };
}

/** Images of three classes, horizontal and vertical stripes and a chequered pattern, with noise. */
export function tinyDataset(train = 26, test = 10): Dataset {
  return createDataset({
    name: "tiny",
    classes: ["rows", "columns", "chequers"],
    shape: [1, 6, 6],
    train: split(train, 1),
    test: split(test, 2),
  });
}

function split(count: number, seed: number) {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 3);
  const images = new Uint8Array(count * 36);
  for (let i = 0; i < count; i++) {
    randomBits(foldIn(key(seed), i), 36).forEach((bits, p) => {
      const [y, x] = [Math.floor(p / 6), p % 6];
      const bright = [y, x, x + y][labels[i] as number] as number;
      images[i * 36 + p] = 120 * (bright % 2) + (bits % 120);
    });
  }
  return { count, images, labels };
}

/** A trainer of the tiny model, and the backend that it runs on, disposed after `body`. */
export async function withTrainer<T>(
  body: (trainer: Trainer) => Promise<T>,
  options: Partial<TrainerOptions> & {
    readonly model?: Model;
    readonly precision?: "float32" | "float64";
  } = {},
): Promise<T> {
  const { model = tinyModel(), precision = "float32", ...rest } = options;
  const backend = createReferenceBackend({ precision });
  try {
    return await body(await createTrainer(backend, model, { batch: 4, optimizer: sgd(), ...rest }));
  } finally {
    await backend.dispose();
  }
}
