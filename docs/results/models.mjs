// Trains every model of the zoo for some steps, each on its own, and prints the table of docs/results/models.md.
// Stopped in whatever way, it goes on where it was.

import { spawnSync } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { summarize } from "../../packages/models/dist/src/index.js";
import { modelNames, parseModel, parseNorm } from "../../packages/presets/dist/src/index.js";

const help = `Usage: node docs/results/models.mjs train|table --data DIR --out DIR [MODEL ...]

  train   trains what is missing in --out, of all models or of those that are named
  table   prints what there is, as Markdown

--data holds CIFAR-10's binary files; every model is trained on its images of 32×32, with bn and 2 threads.
`;

/** 40 steps; 100 of those that learn slowly. */
const usual = { batch: 32, images: 640, epochs: 2 };
const slow = { ...usual, epochs: 5 };
/** 25 steps of many images, or 50; 120 of the one model of 10 Gflop an image, with few. */
const large = { batch: 128, images: 640, epochs: 5 };
const special = {
  resnet50: large,
  resnet101: large,
  preresnet164: slow,
  densenet121: slow,
  vgg16: slow,
  vgg19: slow,
  mobilenetv2: { ...large, epochs: 10 },
  "wrn28-10": { batch: 8, images: 192, epochs: 5 },
};

/** Rates at which so few steps are enough: the wider the network, the smaller. */
const rates = [
  [/^(resnet(20|32|44)|lenet)$/, 0.05],
  [/^(pre|resnet(56|110))/, 0.02],
  [/^densenet/, 0.01],
  [/^(vgg|wrn)/, 0.005],
  [/^resnet(18|34)/, 0.003],
  [/^resnet(50|101)/, 0.002],
  [/./, 0.01],
];

function settingsOf(name) {
  const [, lr] = rates.find(([pattern]) => pattern.test(name));
  const sizes = special[name] ?? usual;
  return { ...sizes, lr };
}

const main = fileURLToPath(new URL("../../apps/train/dist/src/main.js", import.meta.url));

const textOf = (path) => readFile(path, "utf8").catch(() => undefined);

async function train(name, data, folder) {
  if ((await textOf(join(folder, "summary.json"))) !== undefined) return;
  const { batch, images, epochs, lr } = settingsOf(name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const files = ["--data", data, "--out", folder, "--jsonl", join(folder, "events.jsonl")];
  const sizes = ["--train-images", images, "--test-images", 32, "--batch", batch];
  const method = ["--norm", "bn", "--epochs", epochs, "--lr", lr, "--schedule", "constant"];
  const rest = ["--no-augment", "--threads", 2, "--quiet"];
  const args = [main, "--model", name, ...files, ...sizes, ...method, ...rest].map(String);
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) console.log(`${name} ended with status ${status}`);
  // Only the figures are wanted.
  for (const file of ["checkpoint.safetensors", "checkpoint.previous.safetensors"]) {
    await rm(join(folder, file), { force: true });
  }
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** The square of the mean's standard error. */
function error2(values) {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return squares / (values.length - 1) / values.length;
}

async function row(name, folder) {
  const summary = await textOf(join(folder, "summary.json"));
  if (summary === undefined) return undefined;
  const { imagesPerSecond, parameters, workspaceBytes } = JSON.parse(summary);
  const events = (await textOf(join(folder, "events.jsonl"))).trim().split("\n").map(JSON.parse);
  const losses = events.filter(({ type }) => type === "step").map(({ loss }) => loss);
  const [first, last] = [losses.slice(0, 5), losses.slice(-5)];
  const { batch, lr } = settingsOf(name);
  const shape = { classes: 10, inputShape: [3, 32, 32] };
  const { flops } = summarize(parseModel(name)({ norm: parseNorm("bn"), ...shape }));
  return [
    name,
    parameters.toLocaleString("en-US"),
    batch,
    lr,
    losses.length,
    mean(first).toFixed(3),
    mean(last).toFixed(3),
    `${(mean(first) - mean(last)).toFixed(2)} ± ${Math.sqrt(error2(first) + error2(last)).toFixed(2)}`,
    imagesPerSecond.toPrecision(3),
    ((3 * flops * imagesPerSecond) / 1e9).toPrecision(3),
    (workspaceBytes / 2 ** 20).toFixed(0),
  ];
}

const { positionals, values } = parseArgs({
  options: { data: { type: "string" }, out: { type: "string" } },
  allowPositionals: true,
});
const [command, ...named] = positionals;
const names = named.length > 0 ? named : modelNames;
const out = values.out && resolve(values.out);

if (command === "train" && out !== undefined && values.data !== undefined) {
  for (const name of names) await train(name, resolve(values.data), join(out, name));
} else if (command === "table" && out !== undefined) {
  console.log(
    "| model | parameters | batch | learning rate | steps | first loss | last loss | fall | images/s | Gflop/s | MiB |",
  );
  console.log(`|${"---|".repeat(11)}`);
  for (const name of names) {
    const cells = await row(name, join(out, name));
    if (cells !== undefined) console.log(`| ${cells.join(" | ")} |`);
  }
} else {
  process.stderr.write(help);
  process.exitCode = 2;
}
