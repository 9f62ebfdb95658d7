// The end of a training: the lines for people, and summary.json for programs.

import { join } from "node:path";
import type { DoneEvent, Evaluation, Settings } from "@fewnorm/train";
import { replaceFile } from "@fewnorm/train/node";
import { duration, percent, rate, shellWord, shortNumber } from "./words.ts";

/** What summary.json holds. */
export interface Summary {
  readonly settings: Settings;
  readonly epochs: number;
  readonly steps: number;
  /** Trainable numbers. */
  readonly parameters: number;
  /** After the last epoch, 0 … 1. */
  readonly testAccuracy: number | undefined;
  readonly testLoss: number | undefined;
  readonly testImages: number | undefined;
  /** The test with running statistics that were recomputed from so many batches. */
  readonly recalibrated?: (Evaluation & { readonly batches: number }) | undefined;
  /** The test with each test batch's own statistics. */
  readonly batchStatistics?: Evaluation | undefined;
  /** Mean over the last epoch. */
  readonly trainingLoss: number | undefined;
  /** Of this run's steps; tests and checkpoints are not counted. */
  readonly imagesPerSecond: number | undefined;
  /** Of this run, everything included. */
  readonly seconds: number;
  /** Of the intermediate results of a training step, at their peak. */
  readonly workspaceBytes: number;
  /** What computed it. */
  readonly engine: string;
  readonly checkpoint: string | undefined;
  /** Where the trained model was saved. */
  readonly weights: string | undefined;
}

/** The summary of a training that is done, but for what comes after it and the time that it took. */
export function summarize(
  done: DoneEvent,
  rest: Pick<
    Summary,
    "settings" | "parameters" | "imagesPerSecond" | "workspaceBytes" | "engine" | "checkpoint"
  >,
): Omit<Summary, "seconds" | "recalibrated" | "batchStatistics" | "weights"> {
  const { evaluation, trainingLoss, epoch, step } = done;
  return {
    epochs: epoch,
    steps: step,
    testAccuracy: evaluation?.accuracy,
    testLoss: evaluation?.loss,
    testImages: evaluation?.count,
    trainingLoss,
    ...rest,
  };
}

export const summaryFile = "summary.json";

/** Writes the summary, beside and renamed. @throws Error when that is not possible. */
export async function writeSummary(folder: string, summary: Summary): Promise<void> {
  const path = join(folder, summaryFile);
  try {
    await replaceFile(path, `${JSON.stringify(summary, null, 2)}\n`);
  } catch (error) {
    throw new Error(
      `train: cannot write ${path} (${(error as Error).message}); the checkpoint is whole: pnpm train --out ${shellWord(folder)} --resume tries again`,
      { cause: error },
    );
  }
}

/** A few lines that say how it went. */
export function describeSummary(summary: Summary): string {
  const { testAccuracy, testLoss, testImages, trainingLoss, imagesPerSecond } = summary;
  const { recalibrated, batchStatistics } = summary;
  const tested = ({ accuracy, loss }: Evaluation) =>
    `${percent(accuracy)}, loss ${shortNumber(loss)}`;
  const more: [string, string][] = [];
  if (recalibrated !== undefined) {
    const { batches } = recalibrated;
    const from = `statistics of ${batches} training ${batches === 1 ? "batch" : "batches"}`;
    more.push(["recalibrated", `${tested(recalibrated)}, by ${from}`]);
  }
  if (batchStatistics !== undefined) {
    more.push(["batch stats", `${tested(batchStatistics)}, by each test batch's own statistics`]);
  }
  const known = (value: number | undefined, show: (value: number) => string) =>
    value === undefined ? "not measured" : show(value);
  const lines: [string, string][] = [
    [
      "test accuracy",
      `${known(testAccuracy, percent)} of ${testImages ?? 0} images, loss ${known(testLoss, shortNumber)}`,
    ],
    ...more,
    ["training loss", `${known(trainingLoss, shortNumber)} in the last epoch`],
    ["speed", `${known(imagesPerSecond, rate)}, ${duration(summary.seconds)} in all`],
    [
      "memory",
      `${(summary.workspaceBytes / 2 ** 20).toFixed(1)} MiB of intermediate results in a step`,
    ],
    ["checkpoint", summary.checkpoint ?? "none, since there is no --out"],
    ...(summary.weights === undefined ? [] : [["weights", summary.weights] as [string, string]]),
  ];
  return lines.map(([name, value]) => `${`${name}:`.padEnd(15)}${value}`).join("\n");
}
