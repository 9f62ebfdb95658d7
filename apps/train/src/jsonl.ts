// Measurements as JSON lines.

import { appendFileSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { TrainEvent } from "@fewnorm/train";
import { makeFolder } from "@fewnorm/train/node";

/**
 * Appends events to a file, one JSON object a line. A line is on its way to the disk before the next step
 * begins, so that it outlives the process. After a resume, a `start` event tells which earlier steps are
 * done once more; a line that a full disk has cut off stays one of its own.
 * @throws Error when the file cannot be written to.
 */
export async function createJsonl(path: string): Promise<(event: TrainEvent) => void> {
  const append = (content: string) => {
    try {
      appendFileSync(path, content);
    } catch (error) {
      throw new Error(
        `train: cannot write to --jsonl ${path} (${(error as Error).message}); give another file`,
        { cause: error },
      );
    }
  };
  await makeFolder(dirname(path));
  append((await isCutOff(path)) ? "\n" : "");
  return (event) => append(`${JSON.stringify(event)}\n`);
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
