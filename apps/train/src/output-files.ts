// The files that a training writes besides its checkpoints: whether they can be, before anything is trained.

import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { checkpointFile, previousCheckpointFile } from "@fewnorm/train/node";
import type { Config } from "./config.ts";
import { checkWritable } from "./out-folder.ts";

/** @throws Error for a file that could not be written, or that something else is written to. */
export async function checkOutputs({ save, jsonl, out }: Config): Promise<void> {
  if (jsonl !== undefined) {
    await checkWritable("the folder of --jsonl,", dirname(resolve(jsonl)));
    if ((await stat(jsonl).catch(() => undefined))?.isDirectory()) {
      throw new Error(`train: --jsonl ${jsonl} is a folder; give a file`);
    }
  }
  if (save === undefined) return;
  await checkWritable("the folder of --save,", dirname(resolve(save)));
  const found = await stat(save).catch(() => undefined);
  if (found !== undefined && !found.isFile()) {
    const what = found.isDirectory() ? "a folder" : "no regular file";
    throw new Error(`train: --save ${save} is ${what}; give a file`);
  }
  const checkpoints = [checkpointFile, previousCheckpointFile].map((name) =>
    resolve(out ?? "", name),
  );
  if (out !== undefined && checkpoints.includes(resolve(save))) {
    throw new Error(`train: --save ${save} is a checkpoint of --out; give another file`);
  }
  if (jsonl !== undefined && resolve(jsonl) === resolve(save)) {
    throw new Error(`train: --save and --jsonl are both ${save}; give different files`);
  }
}
