// The output folder: whether it can be written to, and whether a training is in it already.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { checkpointFile, previousCheckpointFile } from "@fewnorm/train/node";

/**
 * Checks `--out` without changing anything.
 * @throws Error when it cannot be a folder that is written to, or when it holds a checkpoint that
 *   would be overwritten.
 */
export async function checkOut(out: string, resume: boolean): Promise<void> {
  await checkWritable("--out", resolve(out), "give a folder that can be written to");
  if (resume) return;
  for (const name of [checkpointFile, previousCheckpointFile]) {
    const found = await stat(join(out, name)).catch(() => undefined);
    if (found !== undefined) {
      throw new Error(
        `train: --out ${out} holds a checkpoint already; add --resume to go on from it, or give another folder`,
      );
    }
  }
}

/** @throws Error unless `folder`, or else the nearest folder above it that exists, can be written to. */
export async function checkWritable(option: string, folder: string, remedy: string): Promise<void> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      if (!(await stat(path)).isDirectory()) {
        throw new Error(`${path} is not a folder`);
      }
      await access(path, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && dirname(path) !== path) continue;
      throw new Error(`train: cannot write to ${option} ${folder} (${message}); ${remedy}`, {
        cause: error,
      });
    }
  }
}
