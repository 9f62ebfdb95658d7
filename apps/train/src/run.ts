// The command from its arguments to its exit status.

import { dirname, resolve } from "node:path";
import { usageError } from "@fewnorm/command-line";
import { readCheckpoint, saveStateDict } from "@fewnorm/train/node";
import { afterTraining } from "./after-training.ts";
import { parseArguments } from "./arguments.ts";
import { type Config, resolveConfig, weightsMetadata } from "./config.ts";
import { checkWritable, takeOut } from "./out-folder.ts";
import { prepare } from "./prepare.ts";
import { createReport } from "./report.ts";
import { describeSummary, writeSummary } from "./summary.ts";
import { runTraining } from "./training.ts";

/**
 * Runs the command and returns its exit status.
 * @throws Error with a message for the user: a usage error where the command line is at fault.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const given = parseArguments(argv);
  const { out, resume = false, jsonl } = given;
  if (resume && out === undefined) {
    throw usageError("--resume goes on from the checkpoint in --out, which is missing; give it");
  }
  if (resume && given.init !== undefined) {
    throw usageError("--resume has its own weights and --init begins anew; give one of them");
  }
  if (given.save !== undefined) {
    await checkWritable("the folder of --save,", dirname(resolve(given.save)));
  }
  if (jsonl !== undefined) {
    await checkWritable("the folder of --jsonl,", dirname(resolve(jsonl)));
  }
  const giveBack = out === undefined ? undefined : await takeOut(out, resume);
  try {
    return await train(given);
  } finally {
    await giveBack?.();
  }
}

async function train(given: Partial<Config>): Promise<number> {
  const { out, resume = false } = given;
  const from = resume && out !== undefined ? await readCheckpoint(out) : undefined;
  const config = resolveConfig(given, from?.checkpoint);

  const began = performance.now();
  const prepared = await prepare(config);
  try {
    const report = createReport(config, prepared, from);
    const result = await runTraining(config, prepared, from, report);
    if (result.type === "interrupted") {
      console.log(
        out === undefined
          ? `interrupted after step ${result.step}; nothing was saved, since there is no --out`
          : `interrupted after step ${result.step}; to go on: pnpm train --out ${out} --resume`,
      );
      return result.exitCode;
    }
    const after = await afterTraining(config, prepared);
    const seconds = (performance.now() - began) / 1000;
    const summary = { ...result.summary, ...after, seconds };
    if (config.save !== undefined) {
      const { trainer } = prepared;
      await saveStateDict(config.save, trainer, weightsMetadata(config, trainer.model));
    }
    if (out !== undefined) await writeSummary(out, summary);
    console.log(describeSummary(summary));
    return 0;
  } finally {
    await prepared.backend.dispose();
  }
}
