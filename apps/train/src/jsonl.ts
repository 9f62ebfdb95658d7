// Measurements as JSON lines.

import { appendFileSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { TrainEvent } from "@fewnorm/train";
import { makeFolder } from "@fewnorm/train/node";

/**
 * Appends events to a file, one JSON object a line. A line is on its way to the disk before the next step
 * begins, so that it outlives the process. After a resume, a `start` event tells which earlier steps are
 * done once more; a line that a full disk has cut off stays one of its own. From the first line on that cannot be
 * written there are no more: `onFailure` is told, since a log is no reason to end a training.
 * @throws Error when the file cannot be opened.
 */
export async function createJsonl(
  path: string,
  onFailure: (problem: string) => void,
): Promise<(event: TrainEvent) => void> {
  const problemOf = (error: unknown) =>
    `train: cannot write to --jsonl ${path} (${(error as Error).message})`;
  await makeFolder(dirname(path));
  const end = (await isCutOff(path)) ? "\n" : "";
  try {
    appendFileSync(path, end);
  } catch (error) {
    throw new Error(`${problemOf(error)}; give another file`, { cause: error });
  }
  let failed = false;
  return (event) => {
    if (failed) return;
    try {
      appendFileSync(path, `${JSON.stringify(event)}\n`);
    } catch (error) {
      failed = true;
      onFailure(`${problemOf(error)}; the training goes on, and is not recorded from here on`);
    }
  };
}

/** Whether a file's last line has no end. */
async function isCutOff(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile() || found.size === 0) return false;
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  try {
    const last = new Uint8Array(1);
    await file.read(last, 0, 1, found.size - 1);
    return last[0] !== "\n".charCodeAt(0);
  } finally {
    await file.close();
  }
}
