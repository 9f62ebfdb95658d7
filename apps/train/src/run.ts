// The command from its arguments to its exit status.

import { dirname, resolve } from "node:path";
import { parseBackend, parseModel, parseNorm } from "@fewnorm/presets";
import {
  createTrainer,
  type DoneEvent,
  type Settings,
  sgd,
  stepsPerEpoch,
  train,
} from "@fewnorm/train";
import { readCheckpoint, writeCheckpoint } from "@fewnorm/train/node";
import { parseArguments } from "./arguments.ts";
import { type Config, notesOf, resolveConfig, settingsOf } from "./config.ts";
import { usageError } from "./failure.ts";
import { help } from "./help.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { createJsonl } from "./jsonl.ts";
import { createMeter } from "./meter.ts";
import { checkOut, checkWritable } from "./out-folder.ts";
import { loadData, scheduleOf } from "./prepare.ts";
import { createBar, createLines, noProgress } from "./progress.ts";
import { describeSummary, summarize, writeSummary } from "./summary.ts";

type Resume = Awaited<ReturnType<typeof readCheckpoint>>;

/**
 * Runs the command and returns its exit status.
 * @throws Error with one line for the user; `exitCode` 2 where the command line is at fault.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const { given, help: helpWanted } = parseArguments(argv);
  if (helpWanted) {
    process.stdout.write(help);
    return 0;
  }
  const { out, resume = false, jsonl } = given;
  if (resume && out === undefined) {
    throw usageError("--resume goes on from the checkpoint in --out, which is missing; give it");
  }
  if (out !== undefined) await checkOut(out, resume);
  if (jsonl !== undefined) {
    await checkWritable("--jsonl", dirname(resolve(jsonl)), "give a file in a folder that can be");
  }
  const from = resume && out !== undefined ? await readCheckpoint(out) : undefined;
  return trainWith(resolveConfig(given, from?.checkpoint), from);
}

async function trainWith(config: Config, from: Resume | undefined): Promise<number> {
  const began = performance.now();
  const { out, epochs, batch, momentum, weightDecay } = config;
  // Names first: what is misspelt is told before anything is loaded.
  const norm = parseNorm(config.norm);
  const modelOf = parseModel(config.model);
  const createBackend = parseBackend(config.backend);
  const dataset = await loadData(config);
  const model = modelOf({ norm, classes: dataset.classes.length, inputShape: dataset.shape });
  const backend = await createBackend({ threads: config.threads });
  try {
    const optimizer = sgd({ momentum, weightDecay });
    const trainer = await createTrainer(backend, model, { batch, optimizer });
    const settings = settingsOf(config);
    const notes = notesOf(config, backend.description, backend.limits.threads);
    const meter = createMeter(batch);
    const progress = config.quiet
      ? noProgress
      : process.stderr.isTTY
        ? createBar(epochs, meter, process.stderr)
        : createLines(epochs, meter, (line) => console.log(line));
    const say = config.quiet ? () => {} : (line: string) => console.log(line);
    say(
      `${model.name} with ${config.norm} on ${dataset.name}${config.data === undefined ? " (it comes with fewnorm; --data trains on yours)" : ""}: ${dataset.train.count} + ${dataset.test.count} images of ${dataset.shape.join("×")}`,
    );
    say(`${backend.description}, batch ${batch}, ${epochs} epochs, seed ${config.seed}`);
    if (out === undefined) say("nothing will be written, since there is no --out");
    if (from !== undefined) {
      say(`going on from ${from.where}, after step ${from.checkpoint.step}`);
      warnOfChanges(from.checkpoint.notes, notes, say);
    }
    const record = config.jsonl === undefined ? () => {} : createJsonl(config.jsonl);
    const interrupt = listenForInterrupt(() =>
      progress.line("interrupted: finishing the step (once more to end at once)"),
    );
    let done: DoneEvent | undefined;
    let parameters = 0;
    let checkpoint = from?.where;
    try {
      const events = train(trainer, dataset, {
        epochs,
        schedule: scheduleOf(config, stepsPerEpoch(dataset, batch)),
        seed: config.seed,
        augment: config.augment,
        evaluateEvery: config.evalEvery,
        ...(config.checkpointEvery === undefined
          ? {}
          : { checkpointEvery: config.checkpointEvery }),
        ...(out === undefined ? {} : { save: (checkpoint) => writeCheckpoint(out, checkpoint) }),
        ...(from === undefined ? {} : { resume: from }),
        settings,
        notes,
        signal: interrupt.signal,
      });
      for await (const event of events) {
        meter.see(event);
        progress.see(event);
        record(event);
        if (event.type === "start") ({ parameters } = event);
        if (event.type === "checkpoint") checkpoint = event.where;
        if (event.type === "done") done = event;
      }
    } finally {
      progress.stop();
      interrupt.dispose();
    }
    if (done === undefined) throw new Error("train: the training ended without a result");
    if (done.interrupted) {
      console.log(
        out === undefined
          ? `interrupted after step ${done.step}; nothing was saved, since there is no --out`
          : `interrupted after step ${done.step}; to go on: pnpm train --out ${out} --resume`,
      );
      return interrupt.exitCode() ?? 1;
    }
    const summary = summarize(done, {
      settings: { ...summarySettings(config), ...settings },
      parameters,
      imagesPerSecond: meter.overall(),
      seconds: (performance.now() - began) / 1000,
      engine: backend.description,
      checkpoint,
    });
    if (out !== undefined) await writeSummary(out, summary);
    console.log(describeSummary(summary));
    return 0;
  } finally {
    await backend.dispose();
  }
}

const summarySettings = ({ model, batch, seed, augment }: Config): Settings => ({
  model,
  batch,
  seed,
  augment,
});

/** Says so when the rest of the training will differ from an uninterrupted one in the last digits. */
function warnOfChanges(there: Settings, here: Settings, say: (line: string) => void): void {
  if (there.engine === here.engine) return;
  say(`note: it was ${there.engine} before and is ${here.engine}: results differ in rounding`);
}
