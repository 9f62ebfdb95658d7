// Three steps of SGD of a ResNet-20 on small images, on any backend: what the modes are compared by.

import type { Backend } from "@fewnorm/backend";
import { resnet } from "@fewnorm/models";
import { batchNorm, type Norm } from "@fewnorm/norm";
import { parseBatchSampling } from "@fewnorm/sampling-batch";
import { parseFeatureSampling } from "@fewnorm/sampling-feature";
import { parseVirtualDataset } from "@fewnorm/sampling-virtual";
import { foldIn, type Graph, key, normal } from "@fewnorm/tensor";
import { createTrainer, type HostTensor, sgd, traceTraining } from "@fewnorm/train";

/** Full BN, folded sampling of every kind with the exact gradient, and a layer of its own with the sampled gradient. */
const normsByName: Readonly<Record<string, () => Norm>> = {
  bn: () => batchNorm(),
  "bs:4": () => batchNorm({ sampling: parseBatchSampling("4"), folded: true }),
  "fs:1/32": () => batchNorm({ sampling: parseFeatureSampling("1/32"), folded: true }),
  "vdn:4": () => batchNorm({ sampling: parseVirtualDataset("4"), folded: true }),
  "bs:16@sampled-all": () =>
    batchNorm({ sampling: parseBatchSampling("16"), gradient: "sampled-all" }),
};

export const norms = Object.keys(normsByName);

const [batch, size, classes] = [20, 8, 10];

/** Of some seeds, a value before a ReLU is so near 0 that rounding decides, and trainings part. Not of this one. */
const seed = key(11);

export interface Training {
  readonly losses: readonly number[];
  /** Parameters, running statistics and momenta, before the first step and after the last. */
  readonly before: ReadonlyMap<string, HostTensor>;
  readonly after: ReadonlyMap<string, HostTensor>;
}

const optimizer = sgd({ momentum: 0.9, weightDecay: 5e-4 });

function resnetWith(norm: string) {
  const makeNorm = normsByName[norm];
  if (makeNorm === undefined) throw new Error(`resnetWith: there is no norm ${norm}`);
  return resnet({ depth: 20, norm: makeNorm(), classes, inputShape: [3, size, size] });
}

/** What a step computes. */
export const stepOf = (norm: string): Graph =>
  traceTraining(resnetWith(norm), { batch, optimizer }).graph;

export async function trainResnet(backend: Backend, norm: string, steps = 3): Promise<Training> {
  const trainer = await createTrainer(backend, resnetWith(norm), { batch, optimizer });
  await trainer.initialize(foldIn(seed, 1));
  const before = await trainer.read();
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { loss } = await trainer.step({
      images: Float32Array.from(normal(foldIn(foldIn(seed, 2), step), batch * 3 * size * size)),
      labels: Int32Array.from({ length: batch }, (_, i) => (7 * i + step) % classes),
      learningRate: 0.05,
      key: foldIn(foldIn(seed, 3), step),
    });
    losses.push(loss);
  }
  const after = await trainer.read();
  await trainer.dispose();
  return { losses, before, after };
}

/**
 * How far two trainings from the same beginning are apart: the largest relative difference of a loss, and of the
 * states the norm of the difference as a part of the norm of what training changed, of all together and of the worst.
 */
export function distance(a: Training, b: Training) {
  const loss = Math.max(...a.losses.map((x, i) => Math.abs(x / (b.losses[i] as number) - 1)));
  let [difference, change] = [0, 0];
  let worst = { name: "", distance: 0 };
  for (const [name, { values }] of a.after) {
    const other = b.after.get(name)?.values as Float32Array;
    const from = b.before.get(name)?.values as Float32Array;
    let [own, moved] = [0, 0];
    for (const [i, value] of values.entries()) {
      own += (value - (other[i] as number)) ** 2;
      moved += ((other[i] as number) - (from[i] as number)) ** 2;
    }
    difference += own;
    change += moved;
    const apart = moved === 0 ? (own === 0 ? 0 : Infinity) : Math.sqrt(own / moved);
    if (apart > worst.distance) worst = { name, distance: apart };
  }
  return { loss, states: Math.sqrt(difference / change), worst };
}
