// What a training is made of where nothing or little is said, and what a checkpoint says of it.
import { resolve } from "node:path";
import type { Checkpoint, Settings } from "@fewnorm/train";
import test from "tape";
import { type Config, notesOf, resolveConfig, settingsOf } from "../src/config.ts";
import { optimizerOf } from "../src/method.ts";

const checkpointOf = (config: Config, more: Settings = {}): Checkpoint => ({
  step: 1,
  settings: { model: config.model, batch: config.batch, ...settingsOf(config), ...more },
  notes: notesOf(config, "wasm", 1),
  progress: { epoch: { count: 0, loss: 0, correct: 0 } },
  tensors: new Map(),
});

test("a short training warms up for a fifth of it, unless something else is said", (t) => {
  const warmups: [Partial<Config>, number][] = [
    [{ epochs: 1 }, 0.2],
    [{ epochs: 2 }, 0.4],
    [{ epochs: 3 }, 2],
    [{ epochs: 2, warmup: 1.5 }, 1.5],
  ];
  for (const [given, warmup] of warmups) {
    t.equal(resolveConfig(given, undefined).warmup, warmup, JSON.stringify(given));
  }
  t.end();
});

test("each optimizer has its rate and weight decay, and is the one that it is called", (t) => {
  const expected: [Config["optimizer"], number, number, RegExp][] = [
    ["sgd", 0.1, 5e-4, /^sgd\(momentum 0\.8, weight decay 0\.0005/],
    ["nesterov", 0.1, 5e-4, /^sgd\(nesterov momentum 0\.8, weight decay 0\.0005/],
    ["adamw", 1e-3, 0.01, /^adamw\(betas 0\.8 and 0\.999, .*, weight decay 0\.01/],
    ["lars", 2, 5e-4, /^lars\(momentum 0\.8, weight decay 0\.0005/],
  ];
  for (const [optimizer, lr, weightDecay, name] of expected) {
    const config = resolveConfig({ optimizer, momentum: 0.8 }, undefined);
    t.deepEqual([config.lr, config.weightDecay], [lr, weightDecay], optimizer);
    t.match(optimizerOf(config).name, name);
    const other = resolveConfig({ optimizer, lr: 0.5, weightDecay: 0 }, undefined);
    t.deepEqual([other.lr, other.weightDecay], [0.5, 0]);
  }
  t.end();
});

test("a checkpoint remembers what was chosen, with whole paths, and the command line goes before it", (t) => {
  const first = resolveConfig(
    {
      ...{
        data: "images",
        save: "a.safetensors",
        jsonl: "a.jsonl",
        strategy: "mine",
        norm: "mine:4",
      },
      ...{
        epochs: 4,
        optimizer: "lars",
        schedule: "step",
        milestones: [1, 2.5],
        warmup: 0,
        ema: 0.9,
      },
      ...{ recalibrate: 3, batchStatistics: true, checkpointEvery: 7, evalEvery: 2 },
    },
    undefined,
  );
  const checkpoint = checkpointOf(first);
  const files = {
    data: resolve("images"),
    save: resolve("a.safetensors"),
    jsonl: resolve("a.jsonl"),
  };
  const { engine: _, ...expected } = { ...first, ...files, engine: "", threads: 1 };
  t.deepEqual(resolveConfig({}, checkpoint), expected);
  const other = resolveConfig({ norm: "bn", evalEvery: 1 }, checkpoint);
  t.deepEqual([other.norm, other.strategy, other.evalEvery], ["bn", undefined, 1]);
  t.throws(
    () => resolveConfig({}, checkpointOf(first, { lr: "fast" })),
    /^Error: train: the checkpoint's lr is fast; it was not made by this command/,
  );
  t.end();
});
