// Micro-batches: a split batch's gradient is the unsplit one's, to the last digits of float64.
import type { State } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import {
  batchNorm,
  frozenNorm,
  type GradientMode,
  groupNorm,
  instanceNorm,
  layerNorm,
  type Norm,
  noNorm,
  weightStandardization,
} from "@fewnorm/norm";
import { mixture, type Sampling, type Strategy } from "@fewnorm/sampling";
import { batchSampling, naiveSampling } from "@fewnorm/sampling-batch";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key, normal } from "@fewnorm/tensor";
import { classification, createTrainer } from "@fewnorm/train";
import test from "tape";
import { difference, found } from "./gradients.ts";
import { residualModel } from "./tiny.ts";

const batch = 12;
const feeds = {
  images: Float32Array.from(normal(key(5), batch * 36)),
  labels: Array.from({ length: batch }, (_, i) => (i * i) % 3),
  key: key(9),
};

/** The strategy with one origin for all layers and steps: what micro-batches have, on a batch that is not split. */
const from = (row: number, strategy: Strategy): Strategy => ({
  ...strategy,
  origin: () => ({ row, top: 0, left: 0 }),
});

const sampled = (sampling: Sampling, gradient: GradientMode, folded: boolean): [string, Norm] => [
  `${sampling.name}@${gradient}${folded ? "" : " unfolded"}`,
  batchNorm({ sampling, gradient, folded }),
];

const samplings: Sampling[] = [
  from(3, batchSampling({ images: 4 })),
  // These go on at the batch's beginning.
  from(10, batchSampling({ images: 5 })),
  naiveSampling({ images: 3 }),
  // Small maps take more images than large ones.
  from(11, batchSampling({ ratio: 1 / 6, minValues: 10 })),
  virtualDataset({ images: 3 }),
  mixture([
    { strategy: virtualDataset({ images: 2 }) },
    { strategy: from(7, batchSampling({ images: 3 })) },
  ]),
  mixture([
    { strategy: virtualDataset({ images: 2 }), weight: 3 },
    { strategy: from(11, batchSampling({ images: 2 })), weight: 1 },
  ]),
];

const norms = new Map<string, Norm>([
  ["none", noNorm()],
  ["gn:2", groupNorm({ groups: 2 })],
  ["ln", layerNorm()],
  ["in on maps", { ...instanceNorm({ affine: true }), dense: noNorm().dense }],
  ["frozen", frozenNorm()],
  ["frozen with γ, β", frozenNorm({ trainAffine: true })],
  ["ws+gn:2", weightStandardization(groupNorm({ groups: 2 }))],
  ...samplings.flatMap((sampling) =>
    (["exact", "detached"] as const).flatMap((gradient) =>
      [true, false].map((folded) => sampled(sampling, gradient, folded)),
    ),
  ),
]);

/** γ, β and running statistics that are not 1 and 0. */
async function change(state: State): Promise<void> {
  for (const [i, { name, shape }] of state.specs.entries()) {
    if (!/^(?!micro\.).*bn\d\.[a-z_]+$/.test(name)) continue;
    const noise = normal(key(100 + i), shape[0] ?? 1);
    const around = /weight|var/.test(name) ? 1 : 0;
    await state.write(
      name,
      Array.from(noise, (x) => around + 0.2 * x),
    );
  }
}

for (const [name, norm] of norms) {
  test(`${name}: every split has the gradients, loss, logits and statistics of the whole batch`, async (t) => {
    const backend = createReferenceBackend({ precision: "float64" });
    const model = residualModel(norm);
    const objective = classification({ labelSmoothing: 0.1 });
    const whole = await found(backend, model, { batch, objective }, feeds, change);
    for (const micro of [1, 2, 4, 6]) {
      const split = await found(backend, model, { batch, micro, objective }, feeds, change);
      // Sums of some hundred terms in another order: about 1e-14.
      const largest = difference(split, whole);
      t.ok(largest < 1e-11, `micro-batches of ${micro}: ${largest.toExponential(1)}`);
    }
    await backend.dispose();
  });
}

test("a sample that is too small names its layer, split or not", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  const model = residualModel(batchNorm({ sampling: batchSampling({ images: 1 }) }));
  for (const micro of [4, 2]) {
    const message = await createTrainer(backend, model, { batch: 4, micro }).then(
      () => "made",
      (error: Error) => error.message,
    );
    t.match(message, /^norm: layer "bn3": bs:1: the sample is 1 image of 1×1 out of 4/);
  }
  await backend.dispose();
});

test("a strategy's origin out of range is refused, split or not", async (t) => {
  const backend = createReferenceBackend({ precision: "float64" });
  const model = residualModel(batchNorm({ sampling: from(batch, batchSampling({ images: 4 })) }));
  for (const micro of [batch, 4]) {
    const trainer = await createTrainer(backend, model, { batch, micro });
    await trainer.initialize(key(1));
    const message = await trainer.step({ ...feeds, learningRate: 0.1 }).then(
      () => "made a step",
      (error: Error) => error.message,
    );
    t.match(message, /drawOrigin: bs:4 drew row 12, .* below 12/, `micro-batches of ${micro}`);
  }
  await backend.dispose();
});
