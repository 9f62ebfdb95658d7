// Measurements as JSON lines.

import { appendFileSync } from "node:fs";
import { dirname } from "node:path";
import type { TrainEvent } from "@fewnorm/train";
import { makeFolder } from "@fewnorm/train/node";

/**
 * Appends events to a file, one JSON object a line. A line is on its way to the disk before the next step
 * begins, so that it outlives the process. After a resume, a `start` event tells which earlier steps are
 * done once more.
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
  append("");
  return (event) => append(`${JSON.stringify(event)}\n`);
}
