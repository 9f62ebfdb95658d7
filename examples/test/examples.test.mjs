// Runs each example as a user would, and looks at what it prints.
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { strategyConformance } from "@fewnorm/sampling";
import test from "tape";
import { strategy } from "../own-strategy.mjs";

const folder = fileURLToPath(new URL("..", import.meta.url));

/** @param {string} example @param {string[]} args */
async function run(example, ...args) {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [example, ...args], {
    cwd: folder,
  });
  return { lines: stdout.trim().split("\n"), stderr };
}

/** The last number of a line. @param {string} line */
const numberIn = (line) => Number(/(-?[0-9.]+)$/.exec(line)?.[1]);

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

test("train-in-30-lines", async (t) => {
  const { lines, stderr } = await run("train-in-30-lines.mjs", "2");
  t.equal(stderr, "");
  t.deepEqual(
    lines.map((line) => line.replace(/ [0-9.]+$/, "")),
    ["epoch 1: loss", "test accuracy", "epoch 2: loss", "test accuracy"],
  );
  const [first, , second, accuracy] = lines.map(numberIn);
  // ln 10 = 2.30 is what guessing costs.
  t.ok(Number(second) < Number(first) && Number(second) < 2, `the loss falls to ${second}`);
  t.ok(Number(accuracy) >= 0 && Number(accuracy) <= 1);
});

test("train-in-30-lines: one line on a number of epochs that is none", async (t) => {
  for (const epochs of ["many", "0", "1.5"]) {
    const stderr = await run("train-in-30-lines.mjs", epochs).catch((error) => error.stderr);
    t.equal(stderr, `epochs is ${epochs}; give a whole number >= 1\n`);
  }
});

test("own-strategy", async (t) => {
  const { lines, stderr } = await run("own-strategy.mjs");
  t.equal(stderr, "");
  t.equal(lines.length, 20);
  const losses = lines.map(numberIn);
  t.ok(mean(losses.slice(-5)) < mean(losses.slice(0, 5)), "the loss falls");
});

strategyConformance(test, strategy);

test("normalize-ndarray", async (t) => {
  const { lines, stderr } = await run("normalize-ndarray.mjs");
  t.equal(stderr, "");
  t.equal(lines.length, 4);
  for (const line of lines.slice(0, 3)) {
    const [, channelMean, deviation] = /mean (\S+), deviation (\S+)$/.exec(line) ?? [];
    // Of 2,048 sampled values the mean has a deviation of 0.022, the deviation one of 0.016; bounds are at
    // four of those, and the numbers do not depend on chance but on fixed keys.
    t.ok(Math.abs(Number(channelMean)) < 0.09, line);
    t.ok(Math.abs(Number(deviation) - 1) < 0.064, line);
  }
  // A tenth of the way from 0 to the sampled mean, 5 ± 0.18.
  const running = /^running mean (.*)$/.exec(lines[3] ?? "")?.[1]?.split(" ") ?? [];
  t.ok(
    running.length === 3 && running.every((value) => Math.abs(Number(value) - 0.5) < 0.02),
    lines[3],
  );
});

test("every example is run here", (t) => {
  const examples = readdirSync(folder).filter((name) => name.endsWith(".mjs"));
  t.deepEqual(examples.sort(), [
    "normalize-ndarray.mjs",
    "own-strategy.mjs",
    "train-in-30-lines.mjs",
  ]);
  t.end();
});
