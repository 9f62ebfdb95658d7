// Two threads compute a whole training step as one does, and always the same: what a thread leaves for
// the other to read is waited for, wherever the sampled rows lie.

import { createWasmBackend } from "@fewnorm/backend-wasm";
import { resnet } from "@fewnorm/models";
import { drawAll } from "@fewnorm/nn";
import { batchNorm } from "@fewnorm/norm";
import { mixture } from "@fewnorm/sampling";
import { batchSampling } from "@fewnorm/sampling-batch";
import { featureSampling } from "@fewnorm/sampling-feature";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key, normal } from "@fewnorm/tensor";
import { initializeStates, sgd, traceTraining } from "@fewnorm/train";
import test from "tape";

const bs = batchSampling({ images: 7 });
const norms = [
  batchNorm(),
  batchNorm({ sampling: bs, folded: true }),
  batchNorm({ sampling: bs, gradient: "sampled" }),
  batchNorm({ sampling: featureSampling({ ratio: 1 / 8 }), folded: true }),
  batchNorm({
    sampling: mixture([{ strategy: virtualDataset({ images: 3 }) }, { strategy: bs }]),
  }),
];

for (const norm of norms) {
  test(`ResNet-20 with ${norm.name}: two threads, ten times`, async (t) => {
    const batch = 24;
    const model = resnet({ depth: 20, norm, inputShape: [3, 16, 16] });
    const traced = traceTraining(model, { batch, optimizer: sgd() });
    const initial = initializeStates(traced.states, key(0));
    const images = normal(key(1), batch * 3 * 16 * 16);
    const labels = Int32Array.from({ length: batch }, (_, i) => i % 10);

    /** The losses of three steps, `times` times from the same state. */
    const losses = async (threads: number, times: number) => {
      const backend = await createWasmBackend({ threads });
      const state = await backend.createState(traced.states);
      const step = await backend.compile(traced.graph, state);
      const runs: number[][] = [];
      for (let time = 0; time < times; time++) {
        for (const [name, values] of initial) await state.write(name, values);
        const run: number[] = [];
        for (let s = 0; s < 3; s++) {
          const draws = drawAll(traced.draws, key(s));
          const { loss } = await step.run({ images, labels, learningRate: [0.01], ...draws });
          run.push(loss?.data[0] as number);
        }
        runs.push(run);
      }
      await backend.dispose();
      return runs;
    };
    const [one = []] = await losses(1, 1);
    const [first = [], ...others] = await losses(2, 10);
    t.ok(
      others.every((run) => run.join() === first.join()),
      "bit-identical",
    );
    for (const [s, loss] of first.entries()) {
      // Sums in another order, through 20 layers and two updates: as far as a step's rounding goes.
      const off = Math.abs(loss - (one[s] ?? Number.NaN)) / loss;
      t.ok(off < 1e-3, `step ${s}: ${loss}, ${off} from one thread's`);
    }
    t.end();
  });
}
