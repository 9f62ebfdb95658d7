// CIFAR ResNets: names, and agreement with PyTorch.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { resnet } from "@fewnorm/models";
import { drawAll } from "@fewnorm/nn";
import { batchNorm, noNorm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key } from "@fewnorm/tensor";
import { sgd, traceGradients, traceTraining } from "@fewnorm/train";
import test from "tape";
import { agreesWithPyTorch, float64, wasm } from "./agreement.ts";
import { readFixture } from "./fixture.ts";

test("states bear PyTorch's names", (t) => {
  const { states } = traceGradients(resnet({ depth: 20, norm: batchNorm() }), { batch: 2 });
  const names = new Set(states.map(({ name }) => name));
  const expected = [...readFixture("resnet20.json", "bn").initial().keys()];
  t.deepEqual([...names].sort(), expected.sort());
  t.end();
});

for (const network of ["bn", "none"]) {
  agreesWithPyTorch({
    file: "resnet20.json",
    network,
    model: resnet({ depth: 20, norm: network === "bn" ? batchNorm() : noNorm() }),
    engines: [float64, wasm(1), wasm(2)],
  });
}

agreesWithPyTorch({
  file: "resnet20.json",
  network: "narrow",
  model: resnet({ depth: 8, width: 4, norm: batchNorm(), inputShape: [3, 16, 16] }),
});

agreesWithPyTorch({
  file: "resnet20.json",
  network: "deep",
  model: resnet({ depth: 56, norm: batchNorm() }),
  engines: [wasm(1), wasm(2)],
});

test("ResNet-20 on wasm agrees with float64 for folded norms over three steps", async (t) => {
  const fixture = readFixture("resnet20.json", "bn");
  const samplings = [batchSampling({ images: 2 }), virtualDataset({ images: 2 })];
  for (const sampling of samplings) {
    const model = resnet({ depth: 20, norm: batchNorm({ sampling, folded: true }) });
    const traced = traceTraining(model, { batch: 4, optimizer: sgd() });
    const runs = await Promise.all(
      [createReferenceBackend({ precision: "float64" }), createWasmBackend({ threads: 2 })].map(
        async (made) => {
          const backend = await made;
          const state = await backend.createState(traced.states);
          for (const [name, { values }] of fixture.initial()) await state.write(name, values);
          const executable = await backend.compile(traced.graph, state);
          const losses: number[] = [];
          for (let step = 0; step < fixture.steps; step++) {
            const { loss } = await executable.run({
              images: fixture.images(step).values,
              labels: fixture.labels(step),
              learningRate: [0.05],
              ...drawAll(traced.draws, key(step)),
            });
            losses.push(loss?.data[0] as number);
          }
          await backend.dispose();
          return losses;
        },
      ),
    );
    const [exact = [], float32 = []] = runs;
    for (const [step, loss] of exact.entries()) {
      // Rounding grows through 20 layers and two updates; 1e-3 is far below any real difference.
      const off = Math.abs((float32[step] ?? Number.NaN) - loss);
      t.ok(off < 1e-3 * Math.abs(loss), `${sampling.name}, step ${step}: ${loss}, off by ${off}`);
    }
  }
  t.end();
});
