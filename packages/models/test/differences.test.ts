// Gradients of whole networks, with every kind of sampling, against central differences in float64:
// what flows between layers with samples of their own is not seen in one block alone.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { resnet } from "@fewnorm/models";
import { drawAll } from "@fewnorm/nn";
import { batchNorm, noNorm } from "@fewnorm/norm";
import { mixture } from "@fewnorm/sampling";
import { batchSampling } from "@fewnorm/sampling-batch";
import { featureSampling } from "@fewnorm/sampling-feature";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key, normal } from "@fewnorm/tensor";
import { initializeStates, traceGradients } from "@fewnorm/train";
import test from "tape";

const bs = batchSampling({ images: 2 });
const vdn = virtualDataset({ images: 2 });
const norms = [
  noNorm(),
  batchNorm(),
  batchNorm({ sampling: bs, folded: true }),
  batchNorm({ sampling: bs, folded: false }),
  batchNorm({ sampling: featureSampling({ ratio: 1 / 4 }), folded: true }),
  batchNorm({ sampling: vdn, folded: true }),
  batchNorm({ sampling: mixture([{ strategy: vdn }, { strategy: bs }]), folded: true }),
];

for (const [i, norm] of norms.entries()) {
  test(`ResNet-14 with ${norm.name} (${i}): gradients are the loss's slopes`, async (t) => {
    const backend = createReferenceBackend({ precision: "float64" });
    const model = resnet({ depth: 14, norm, inputShape: [3, 8, 8], width: 4 });
    const { graph, states, draws } = traceGradients(model, { batch: 6 });
    const state = await backend.createState(states);
    const executable = await backend.compile(graph, state);
    const parameters = states.filter(({ kind }) => kind === "parameter");
    const initial = initializeStates(states, key(0));
    const directions = new Map(
      parameters.map(({ name }, at) => [
        name,
        normal(key(100 + at), initial.get(name)?.length ?? 0),
      ]),
    );
    const feeds = {
      images: normal(key(1), 6 * 3 * 8 * 8),
      labels: Int32Array.from([0, 1, 2, 3, 4, 5]),
      ...drawAll(draws, key(5)),
    };
    /** Runs with the parameter `moved` (all of them if undefined) h further along its direction. */
    const at = async (h: number, moved?: string) => {
      for (const { name } of states) {
        const along = moved === undefined || moved === name ? directions.get(name) : undefined;
        const values = Float64Array.from(initial.get(name) ?? []);
        await state.write(
          name,
          values.map((value, k) => value + h * (along?.[k] ?? 0)),
        );
      }
      return executable.run(feeds);
    };
    const gradients = await at(0);
    const slope = (name: string) => {
      const [g, d] = [gradients[`grad:${name}`]?.data ?? [], directions.get(name) ?? []];
      return Array.from(d, (value, k) => value * (g[k] ?? Number.NaN)).reduce((a, b) => a + b, 0);
    };
    const h = 1e-6;
    for (const moved of [
      undefined,
      "conv1.weight",
      "layer2.0.conv1.weight",
      "layer3.1.conv2.weight",
    ]) {
      const [ahead, behind] = [await at(h, moved), await at(-h, moved)];
      const measured =
        ((ahead.loss?.data[0] ?? Number.NaN) - (behind.loss?.data[0] ?? Number.NaN)) / (2 * h);
      const names = moved === undefined ? parameters.map(({ name }) => name) : [moved];
      const derived = names.map(slope).reduce((a, b) => a + b, 0);
      // Rounding of the loss, 2^-53/h, and h²: 1e-6 is a hundred times what both leave.
      const off = Math.abs(measured - derived) / Math.max(1, Math.abs(derived));
      t.ok(off < 1e-6, `${moved ?? "all"}: ${measured} and ${derived}`);
    }
    await backend.dispose();
    t.end();
  });
}
