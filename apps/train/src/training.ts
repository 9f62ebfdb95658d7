// The training itself: the loop, and who is shown its events.

import { type TrainEvent, train } from "@fewnorm/train";
import { type readCheckpoint, writeCheckpoint } from "@fewnorm/train/node";
import { type Config, notesOf, settingsOf, weightsMetadata } from "./config.ts";
import { createJsonl } from "./jsonl.ts";
import { type Prepared, scheduleOf } from "./prepare.ts";
import type { Report } from "./report.ts";
import { summarize } from "./summary.ts";

/** A checkpoint to go on from, and its path. */
export type Resume = Awaited<ReturnType<typeof readCheckpoint>>;

/** How a training ended. */
export type Result =
  | {
      readonly type: "done";
      readonly summary: ReturnType<typeof summarize>;
      /** Whether `--jsonl`, if it was asked for, holds all events. */
      readonly recorded: boolean;
    }
  | { readonly type: "interrupted"; readonly step: number };

/** Trains as `config` says, until `signal` comes, and shows `report` all events. @throws Error as `train`. */
export async function runTraining(
  config: Config,
  prepared: Prepared,
  from: Resume | undefined,
  report: Report,
  signal: AbortSignal,
): Promise<Result> {
  const { backend, trainer, dataset, initial } = prepared;
  const { out, epochs, seed, augment, checkpointEvery } = config;
  const settings = settingsOf(config);
  const metadata = weightsMetadata(config, trainer.model);
  let recorded = true;
  const onFailure = (problem: string) => {
    recorded = false;
    report.warn(problem);
  };
  const record = config.jsonl === undefined ? () => {} : await createJsonl(config.jsonl, onFailure);
  let done: (TrainEvent & { readonly type: "done" }) | undefined;
  let parameters = 0;
  let checkpoint = from?.where;
  try {
    const events = train(trainer, dataset, {
      epochs,
      schedule: scheduleOf(config, dataset),
      seed,
      augment,
      evaluateEvery: config.evalEvery,
      ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
      ...(out === undefined ? {} : { save: (state) => writeCheckpoint(out, state, metadata) }),
      ...(from === undefined ? {} : { resume: from }),
      ...(initial === undefined ? {} : { initial }),
      settings,
      notes: notesOf(config, backend.description, backend.limits.threads),
      signal,
    });
    for await (const event of events) {
      report.see(event);
      record(event);
      if (event.type === "start") ({ parameters } = event);
      if (event.type === "checkpoint") checkpoint = event.where;
      if (event.type === "done") done = event;
    }
  } finally {
    report.stop();
  }
  if (done === undefined) throw new Error("train: the training ended without a result");
  if (done.interrupted) return { type: "interrupted", step: done.step };
  const { model } = config;
  const { batch, micro, workspaceBytes } = trainer;
  const summary = summarize(done, {
    settings: { model, batch, micro, seed, augment, ...settings },
    workspaceBytes,
    parameters,
    imagesPerSecond: report.imagesPerSecond(),
    engine: backend.description,
    checkpoint,
  });
  return { type: "done", summary, recorded };
}
