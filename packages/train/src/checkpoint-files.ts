// Checkpoints as files, for Node: written beside and renamed, so that a file is always whole.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "@fewnorm/safetensors/node";
import type { Checkpoint } from "./checkpoint.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint-format.ts";

/** The newest checkpoint of a folder. */
export const checkpointFile = "checkpoint.fewnorm";
/** The one before it. */
export const previousCheckpointFile = "checkpoint.previous.fewnorm";

/**
 * Writes the folder's checkpoint and returns its path. The old one is kept beside it as the previous one
 * where the file system can link. Whenever the process ends, the folder holds a whole checkpoint.
 * @throws Error when the folder cannot be written to; the old checkpoint is whole then.
 */
export async function writeCheckpoint(folder: string, checkpoint: Checkpoint): Promise<string> {
  const path = join(folder, checkpointFile);
  const bytes = await encodeCheckpoint(checkpoint);
  try {
    await replaceFile(path, bytes, join(folder, previousCheckpointFile));
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
    const bytes = await readIfThere(where);
    if (bytes === undefined) continue;
    try {
      return { checkpoint: await decodeCheckpoint(bytes, where), where };
    } catch (error) {
      if (where !== candidates[1] || (await readIfThere(candidates[2] as string)) === undefined) {
        throw error;
      }
      const message = (error as Error).message;
      throw new Error(`${message}; the one before it is ${previousCheckpointFile}`, {
        cause: error,
      });
    }
  }
  throw new Error(
    `readCheckpoint: there is no checkpoint in ${path}; give a checkpoint, or the folder of a training`,
  );
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
    throw new Error(`readCheckpoint: cannot read ${path} (${message}); check its permissions`, {
      cause: error,
    });
  }
}
