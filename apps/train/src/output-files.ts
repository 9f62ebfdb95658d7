// The files that a training writes besides those in its output folder: whether they can be, before anything is trained.

import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { besideOf, checkpointFile, previousCheckpointFile } from "@fewnorm/train/node";
import type { Config } from "./config.ts";
import { checkWritable, lockFile } from "./out-folder.ts";
import { summaryFile } from "./summary.ts";

/** What a training writes to its output folder. */
const ownFiles = [checkpointFile, previousCheckpointFile, summaryFile, lockFile];

/** @throws Error for a file that could not be written, or that is there for something else. */
export async function checkOutputs(config: Config): Promise<void> {
  const { save, jsonl } = config;
  if (jsonl !== undefined) {
    await checkWritable("the folder of --jsonl,", dirname(resolve(jsonl)));
    if ((await stat(jsonl).catch(() => undefined))?.isDirectory()) {
      throw new Error(`train: --jsonl ${jsonl} is a folder; give a file`);
    }
  }
  if (save !== undefined) {
    await checkWritable("the folder of --save,", dirname(resolve(save)));
    const found = await stat(save).catch(() => undefined);
    if (found !== undefined && !found.isFile()) {
      const what = found.isDirectory() ? "a folder" : "no regular file";
      throw new Error(`train: --save ${save} is ${what}; give a file`);
    }
    await checkLength(save);
  }
  await checkDistinct(config);
}

/** @throws Error for a file whose name is too long to be written beside it first, as `replaceFile` does. */
async function checkLength(save: string): Promise<void> {
  await stat(besideOf(await placeOf(save))).catch(({ code }: NodeJS.ErrnoException) => {
    if (code !== "ENAMETOOLONG") return;
    throw new Error(`train: --save ${save} has a name that is too long; give a shorter one`);
  });
}

/** @throws Error where what is written for one option would spoil what another one needs. */
async function checkDistinct({ save, jsonl, init, out }: Config): Promise<void> {
  const place = async (file: string | undefined) => file && (await placeOf(file));
  const written = { "--save": save, "--jsonl": jsonl };
  const ownPlaces = out === undefined ? [] : ownFiles.map((name) => placeOf(join(out, name)));
  for (const own of await Promise.all(ownPlaces)) {
    for (const [option, file] of Object.entries(written)) {
      if ((await place(file)) !== own) continue;
      throw new Error(
        `train: ${option} ${file} is a file that --out has for itself; give another file`,
      );
    }
  }
  for (const [option, file] of Object.entries({ "--save": save, "--init": init })) {
    if (file === undefined || (await place(file)) !== (await place(jsonl))) continue;
    throw new Error(`train: ${option} and --jsonl are both ${file}; give different files`);
  }
}

/** Where a file lies or will lie, behind all links. */
async function placeOf(path: string): Promise<string> {
  const folder = dirname(resolve(path));
  return realpath(path).catch(async () =>
    join(await realpath(folder).catch(() => folder), basename(path)),
  );
}
