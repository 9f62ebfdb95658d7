// Measurements as JSON lines.

import { appendFileSync } from "node:fs";
import type { TrainEvent } from "@fewnorm/train";

/**
 * Appends events to a file, one JSON object a line. A line is on its way to the disk before the next step
 * begins, so that it outlives the process. After a resume, a `start` event tells which earlier steps are
 * done once more.
 * @throws Error when the file cannot be written to.
 */
export function createJsonl(path: string): (event: TrainEvent | Record<string, unknown>) => void {
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
  append("");
  return (event) => append(`${JSON.stringify(event)}\n`);
}
