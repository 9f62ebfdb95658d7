// The output folder: whether it can be written to, and whether a training is in it already.

import { rmdir, stat, unlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { checkpointFile, makeFolder, previousCheckpointFile } from "@fewnorm/train/node";

/**
 * Checks `--out`, and leaves everything as it was.
 * @throws Error when it cannot be a folder that is written to, or when it holds a checkpoint that
 *   would be overwritten.
 */
export async function checkOut(out: string, resume: boolean): Promise<void> {
  await checkWritable("--out", resolve(out));
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

/**
 * Finds out by trying whether files can be written in `folder`, which need not exist yet: permissions alone
 * do not tell, for an administrator or on a disk that is read-only.
 * @throws Error that names `option` when they cannot.
 */
export async function checkWritable(option: string, folder: string): Promise<void> {
  let made: string[] = [];
  try {
    made = await makeFolder(folder);
    const probe = join(folder, `.fewnorm-${process.pid}`);
    await writeFile(probe, "");
    await unlink(probe);
  } catch (error) {
    throw new Error(
      `train: cannot write to ${option} ${folder} (${(error as Error).message}); give a folder that can be written to`,
      { cause: error },
    );
  } finally {
    for (const path of made.reverse()) await rmdir(path).catch(() => {});
  }
}
