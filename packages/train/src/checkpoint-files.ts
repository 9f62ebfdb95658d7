// Checkpoints as files, for Node: written beside and renamed, so that a file is always whole.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { openSafetensorsFile, writeSafetensors } from "@fewnorm/safetensors/node";
import type { Checkpoint } from "./checkpoint.ts";
import { checkpointMetadata, decodeCheckpoint } from "./checkpoint-format.ts";

/** The newest checkpoint of a folder. */
export const checkpointFile = "checkpoint.safetensors";
/** The one before it. */
export const previousCheckpointFile = "checkpoint.previous.safetensors";

/**
 * Writes the folder's checkpoint and returns its path. The old one is kept beside it as the previous one
 * where the file system can link. Whenever the process ends, the folder holds a whole checkpoint.
 * @param more strings for the file's metadata, such as `modelMetadata`, for those who take its weights
 * @throws Error when the folder cannot be written to; the old checkpoint is whole then.
 */
export async function writeCheckpoint(
  folder: string,
  checkpoint: Checkpoint,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = join(folder, checkpointFile);
  const metadata = await checkpointMetadata(checkpoint, more);
  const keep = join(folder, previousCheckpointFile);
  try {
    await writeSafetensors(path, checkpoint.tensors, { metadata, keep });
  } catch (error) {
    throw new Error(
      `writeCheckpoint: cannot write ${path} (${(error as Error).message}); an older checkpoint there is unharmed`,
      { cause: error },
    );
  }
  return path;
}

/**
 * Reads a checkpoint, from a file or from the folder that a training has written to.
 * @throws Error, in one line, when there is none or when it is damaged.
 */
export async function readCheckpoint(
  path: string,
): Promise<{ checkpoint: Checkpoint; where: string }> {
  const candidates = [path, join(path, checkpointFile), join(path, previousCheckpointFile)];
  for (const where of candidates) {
    if (!(await isThere(where))) continue;
    try {
      return { checkpoint: await read(where), where };
    } catch (error) {
      if (where !== candidates[1] || !(await isThere(candidates[2] as string))) throw error;
      const message = (error as Error).message;
      throw new Error(
        `${message}; delete it to go on from the one before it, ${previousCheckpointFile}`,
        { cause: error },
      );
    }
  }
  throw new Error(
    `readCheckpoint: there is no checkpoint in ${path}; give a checkpoint, or the folder of a training`,
  );
}

/** The file of weights that a path names: itself or, of the folder of a training, its newest checkpoint. */
export async function weightsFile(path: string): Promise<string> {
  for (const name of [checkpointFile, previousCheckpointFile]) {
    const inside = join(path, name);
    if (await isThere(inside)) return inside;
  }
  return path;
}

async function read(path: string): Promise<Checkpoint> {
  const file = await openSafetensorsFile(path);
  try {
    return await decodeCheckpoint(file, path);
  } finally {
    await file.dispose();
  }
}

/** Whether there is something that is not a folder. */
async function isThere(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw new Error(`readCheckpoint: cannot read ${path} (${message}); check its permissions`, {
      cause: error,
    });
  }
}
