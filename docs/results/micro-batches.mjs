// The study of micro-batches: trains what is missing, one training at a time, and prints the table.
// Stopped in whatever way, it goes on where it was; several may share the work.

import { spawn } from "node:child_process";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const help = `Usage: node docs/results/micro-batches.mjs train|table|list --data DIR --out DIR [-- options of pnpm train]

  train   trains all that is missing in --out, or what is named after it; run it twice to use two cores
  table   prints what there is, as Markdown
  list    prints the trainings, in their order

--data holds CIFAR-10's binary files. Every training has one thread and a folder of its own in --out. What follows --
is added to each command, or replaces what is there: -- --epochs 1 --train-images 512 tries it out.
`;

const micro = 2;
const norms = ["bn", "gn:8", "brn", "bs:16", "bs:32", "vdn:4", "vdn:16"];
const common = [
  ["--model", "resnet20"],
  ["--epochs", "30"],
  ["--batch", "128"],
  ["--lr", "0.1"],
  ["--warmup", "2"],
  ["--threads", "1"],
];

/** What matters most comes first: with each further seed there is something to compare. */
const trainings = [
  ...[1, 2, 3].flatMap((seed) => [
    { norm: "bn", micro: 128, seed },
    ...norms.map((norm) => ({ norm, micro, seed })),
  ]),
  ...[4, 8, 1, 32].flatMap((size) => norms.map((norm) => ({ norm, micro: size, seed: 1 }))),
];

const nameOf = (training) =>
  `${training.norm.replace(":", "")}-micro${training.micro}-seed${training.seed}`;

const main = fileURLToPath(new URL("../../apps/train/dist/src/main.js", import.meta.url));

async function summaryOf(folder) {
  const text = await readFile(join(folder, "summary.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

const isThere = (path) =>
  open(path).then(
    async (file) => {
      await file.close();
      return true;
    },
    () => false,
  );

/** Takes the folder for this process, unless one that is alive has it. Returns what gives it back. */
async function claim(folder) {
  const lock = join(folder, "running");
  await mkdir(folder, { recursive: true });
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(lock, "wx");
      await file.writeFile(`${process.pid}`);
      await file.close();
      return () => rm(lock);
    } catch {
      const owner = Number(await readFile(lock, "utf8").catch(() => ""));
      if (owner === 0 || isAlive(owner)) return undefined;
      await rm(lock, { force: true });
    }
  }
  return undefined;
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

async function trainAll({ data, out, names, more }) {
  let stopped = false;
  let child;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      stopped = true;
      child?.kill(signal);
    });
  }
  for (const training of trainings) {
    const name = nameOf(training);
    const folder = join(out, name);
    if (stopped) return;
    if (names.length > 0 && !names.includes(name)) continue;
    if ((await summaryOf(folder)) !== undefined) continue;
    const release = await claim(folder);
    if (release === undefined) continue;
    try {
      const resume = (await isThere(join(folder, "checkpoint.safetensors"))) ? ["--resume"] : [];
      const chosen = ["--norm", training.norm, "--micro", training.micro, "--seed", training.seed];
      const files = ["--data", data, "--out", folder, "--jsonl", join(folder, "events.jsonl")];
      const usual = common.filter(([option]) => !more.includes(option)).flat();
      const args = [main, ...usual, "--quiet", ...chosen, ...files, ...resume, ...more].map(String);
      console.log(`${new Date().toISOString()} ${name}${resume.length > 0 ? ", resumed" : ""}`);
      child = spawn(process.execPath, args, { stdio: "inherit" });
      const code = await new Promise((done) => child.on("close", done));
      if (code !== 0 && !stopped) console.log(`${name} ended with status ${code}`);
    } finally {
      await release();
    }
  }
}

/** Mean and half width of the 95% interval by Student's t, for up to 3 values; more are taken for 3. */
function interval(values) {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n < 2) return { mean, half: undefined };
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1));
  return { mean, half: ((n === 2 ? 12.71 : 4.303) * deviation) / Math.sqrt(n) };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function printTable({ out }) {
  const rows = new Map();
  for (const training of trainings) {
    const summary = await summaryOf(join(out, nameOf(training)));
    const key = `${training.micro === 128 ? "none" : training.micro} | \`${training.norm}\``;
    if (summary !== undefined) rows.set(key, [...(rows.get(key) ?? []), summary]);
  }
  console.log("| micro-batch | norm | seeds | test accuracy | training loss | images/s | memory |");
  console.log("|---|---|---|---|---|---|---|");
  for (const [key, all] of rows) {
    const { mean, half } = interval(all.map(({ testAccuracy }) => 100 * testAccuracy));
    const cells = [
      all.length,
      `${mean.toFixed(1)}%${half === undefined ? "" : ` ± ${half.toFixed(1)}`}`,
      median(all.map(({ trainingLoss }) => trainingLoss)).toFixed(3),
      median(all.map(({ imagesPerSecond }) => imagesPerSecond)).toFixed(0),
      `${(all[0].workspaceBytes / 2 ** 20).toFixed(0)} MiB`,
    ];
    console.log(`| ${key} | ${cells.join(" | ")} |`);
  }
}

const given = process.argv.slice(2);
const end = given.includes("--") ? given.indexOf("--") : given.length;
const { positionals, values } = parseArgs({
  args: given.slice(0, end),
  options: { data: { type: "string" }, out: { type: "string" } },
  allowPositionals: true,
});
const [command, ...names] = positionals;
const unknown = names.find((name) => !trainings.some((training) => nameOf(training) === name));
const [data, out] = [values.data, values.out].map((path) => path && resolve(path));
const more = given.slice(end + 1);

if (command === "list") for (const training of trainings) console.log(nameOf(training));
else if (command === "table" && out !== undefined) await printTable({ out });
else if (unknown !== undefined) {
  process.stderr.write(`There is no training "${unknown}"; list prints them\n`);
  process.exitCode = 2;
} else if (command === "train" && out !== undefined && data !== undefined) {
  await trainAll({ data, out, names, more });
} else {
  process.stderr.write(help);
  process.exitCode = 2;
}
