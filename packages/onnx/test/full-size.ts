// Every model as published, exported folded and not, in onnxruntime and here, on real images. It takes minutes
// and is no test; docs/results/onnx.md has its table.
//
//   node packages/onnx/dist/test/full-size.js CIFAR_FOLDER FILE [MODEL …]
//
// appends a line of FILE for each model that has none there, and prints them all as Markdown.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { batchNorm } from "@fewnorm/norm";
import { exportOnnx } from "@fewnorm/onnx";
import { modelNames, parseModel } from "@fewnorm/presets";
import { runOnnx } from "./onnxruntime.ts";
import { compare, logitsHere, randomStates } from "./trained.ts";

const batch = 2;

interface Result {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly bytes: readonly number[];
  /** The largest differences, not folded and folded. */
  readonly off: readonly number[];
}

/** The first images of CIFAR-10's test set, centred and, by repeating pixels, in the model's size. */
function realImages(folder: string, [channels = 3, height = 32, width = 32]: readonly number[]) {
  const bytes = readFileSync(join(folder, "test_batch.bin"));
  const images = new Float32Array(batch * channels * height * width);
  for (let i = 0, at = 0; i < batch; i++) {
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++, at++) {
          const pixel = Math.floor((y * 32) / height) * 32 + Math.floor((x * 32) / width);
          images[at] = ((bytes[i * 3073 + 1 + c * 1024 + pixel] as number) / 255 - 0.5) / 0.25;
        }
      }
    }
  }
  return images;
}

async function measure(name: string, folder: string): Promise<Result> {
  const model = parseModel(name)({ norm: batchNorm() });
  const states = randomStates(model);
  const images = realImages(folder, model.inputShape);
  const expected = await logitsHere(model, states, images, createWasmBackend({ threads: 2 }));
  const bytes: number[] = [];
  const off: number[] = [];
  let size = 0;
  for (const foldNorms of [false, true]) {
    const file = await exportOnnx(model, states, { foldNorms });
    bytes.push(file.length);
    const { logits } = await runOnnx(file, images, [batch, ...model.inputShape]);
    const difference = compare(logits, expected);
    off.push(difference.off);
    size = difference.size;
  }
  return { name, shape: model.inputShape, size, bytes, off };
}

const [folder, file, ...named] = process.argv.slice(2);
if (folder === undefined || file === undefined) {
  console.error("Usage: node full-size.js CIFAR_FOLDER FILE [MODEL ...]");
  process.exit(2);
}
const found = (): Result[] =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((l) => JSON.parse(l))
    : [];
for (const name of named.length > 0 ? named : modelNames) {
  if (found().some((result) => result.name === name)) continue;
  appendFileSync(file, `${JSON.stringify(await measure(name, folder))}\n`);
}
console.log("| model | image | file, MiB | largest logit | not folded | folded | relative |");
console.log("|---|---|---|---|---|---|---|");
for (const { name, shape, size, bytes, off } of found()) {
  const differences = off.map((value) => value.toExponential(1));
  const relative = (Math.max(...off) / size).toExponential(1);
  const mebibytes = ((bytes[0] as number) / 2 ** 20).toFixed(1);
  const cells = [name, shape.join("×"), mebibytes, size.toPrecision(3), ...differences, relative];
  console.log(`| ${cells.join(" | ")} |`);
}
