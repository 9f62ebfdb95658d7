// The output folder: whether it can be written to, whether a training is in it already, and whether one runs there.

import { readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { checkpointFile, isAlive, makeFolder, previousCheckpointFile } from "@fewnorm/train/node";

/** Says in the output folder which process trains there. */
export const lockFile = "training.lock";

/**
 * Takes `--out` for this process. The function that is returned gives it back, and leaves no folder that stayed empty.
 * @throws Error when it cannot be a folder that is written to, when another training runs in it, or when it holds a
 *   checkpoint that would be overwritten.
 */
export async function takeOut(out: string, resume: boolean): Promise<() => Promise<void>> {
  await checkWritable("--out", resolve(out));
  const made = await makeFolder(resolve(out));
  const path = join(out, lockFile);
  await lock(out, path).catch(async (error) => {
    await removeEmpty(made);
    throw error;
  });
  const giveBack = async () => {
    await rm(path, { force: true });
    await removeEmpty(made);
  };
  try {
    if (!resume) await checkNoCheckpoint(out);
  } catch (error) {
    await giveBack();
    throw error;
  }
  return giveBack;
}

/** Makes the lock, in place of one whose process has ended. */
async function lock(out: string, path: string): Promise<void> {
  for (;;) {
    try {
      await writeFile(path, `${process.pid} ${hostname()}`, { flag: "wx" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        // Made, perhaps, but not written: nobody could tell whose it is.
        await rm(path, { force: true });
        throw unwritable("--out", out, error as Error);
      }
    }
    if (!(await isLeftBehind(out, path))) continue;
    // Another start may replace what was found before it is removed here: the lock has a lock for that.
    const takeover = `${path}.takeover`;
    await lock(out, takeover);
    try {
      if (await isLeftBehind(out, path)) await rm(path, { force: true });
    } finally {
      await rm(takeover, { force: true });
    }
  }
}

/** Whether there is a lock whose process has ended. @throws Error for one whose process may be running. */
async function isLeftBehind(out: string, path: string): Promise<boolean> {
  const text = await readLock(path);
  if (text === undefined) return false;
  const [pid, where] = text.split(" ");
  if (where === undefined) {
    throw new Error(
      `train: ${path} does not say who trains there; delete it if nobody does, or give another folder`,
    );
  }
  // A container's processes have the same few numbers each time.
  if (where === hostname() && (Number(pid) === process.pid || !isAlive(Number(pid)))) return true;
  throw new Error(
    `train: process ${pid} on ${where} trains in --out ${out}; wait until it has ended, or give another folder (if it does not run any more, delete ${path})`,
  );
}

/** What a lock says; undefined where there is none any more. */
async function readLock(path: string): Promise<string | undefined> {
  for (let tries = 1; ; tries++) {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw new Error(
        `train: ${path} is no file that says who trains there (${error.message}); move it away, or give another folder`,
      );
    });
    // Who has just made it may be about to write.
    if (text !== "" || tries === 100) return text;
    await pause(25);
  }
}

async function checkNoCheckpoint(out: string): Promise<void> {
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
    // A full disk takes empty files.
    await writeFile(probe, "fewnorm").finally(() => rm(probe, { force: true }));
  } catch (error) {
    throw unwritable(option, folder, error as Error);
  } finally {
    await removeEmpty(made);
  }
}

const unwritable = (option: string, folder: string, cause: Error): Error =>
  new Error(
    `train: cannot write to ${option} ${folder} (${cause.message}); give a folder that can be written to`,
    { cause },
  );

/** Removes folders, the last ones first, as far as nothing is in them. */
async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const path of [...folders].reverse()) await rmdir(path).catch(() => {});
}
