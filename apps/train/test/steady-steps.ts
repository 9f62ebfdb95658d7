// A training of 1,000 steps that prints how much memory the process held: run by memory.test.ts.
import { createDataset, type Split } from "@fewnorm/data";
import { parseBackend, parseModel, parseNorm } from "@fewnorm/presets";
import { constant, createTrainer, train } from "@fewnorm/train";
import { noise } from "./command.ts";

const split = (count: number): Split => ({
  count,
  images: noise(count * 64, count),
  labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
});
const dataset = createDataset({
  name: "noise",
  classes: Array.from("0123456789"),
  shape: [1, 8, 8],
  train: split(800),
  test: split(80),
});
const backend = await parseBackend("wasm")({ threads: 2 });
const model = parseModel("resnet20")({
  norm: parseNorm("bs:4"),
  classes: 10,
  inputShape: [1, 8, 8],
});
const trainer = await createTrainer(backend, model, { batch: 8 });
/** Resident bytes after a collection: what is held, and not what waits for a collection. */
function held(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage.rss();
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
const [early, late]: [number[], number[]] = [[], []];
for await (const event of train(trainer, dataset, {
  epochs: 10,
  schedule: constant(0.01),
  augment: true,
})) {
  if (event.type !== "step") continue;
  if (event.step > 90 && event.step <= 100) early.push(held());
  if (event.step > 990) late.push(held());
}
await backend.dispose();
console.log(JSON.stringify({ early: median(early), late: median(late) }));
