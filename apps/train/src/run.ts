// The command from its arguments to its exit status.

import { listenForInterrupt, usageError } from "@fewnorm/command-line";
import type { Trainer } from "@fewnorm/train";
import { readCheckpoint, saveStateDict } from "@fewnorm/train/node";
import { afterTraining } from "./after-training.ts";
import { parseArguments } from "./arguments.ts";
import { type Config, resolveConfig, weightsMetadata } from "./config.ts";
import { resolveNorm } from "./norm.ts";
import { takeOut } from "./out-folder.ts";
import { checkOutputs } from "./output-files.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { createReport } from "./report.ts";
import { describeSummary, writeSummary } from "./summary.ts";
import { runTraining } from "./training.ts";
import { shellWord } from "./words.ts";

/**
 * Runs the command and returns its exit status.
 * @throws Error with a message for the user: a usage error where the command line is at fault.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const given = parseArguments(argv);
  const { out, resume = false } = given;
  if (resume && out === undefined) {
    throw usageError("--resume goes on from the checkpoint in --out, which is missing; give it");
  }
  if (given.checkpointEvery !== undefined && out === undefined) {
    throw usageError("--checkpoint-every needs a folder for checkpoints; add --out");
  }
  if (resume && given.init !== undefined) {
    throw usageError("--resume has its own weights and --init begins anew; give one of them");
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
  const { config, norm } = await resolveNorm(resolveConfig(given, from?.checkpoint));
  await checkOutputs(config);

  const began = performance.now();
  const print = (text: string) => {
    if (!config.quiet) console.log(text);
  };
  let say = print;
  const interrupt = listenForInterrupt({
    onFirst: () => say("interrupted: finishing the step (once more to end at once)"),
  });
  const interrupted = (step: number) => {
    console.log(
      out === undefined
        ? `interrupted after step ${step}; nothing was saved, since there is no --out`
        : `interrupted after step ${step}; to go on: pnpm train --out ${shellWord(out)} --resume`,
    );
    return interrupt.exitCode() ?? 1;
  };
  let prepared: Prepared | undefined;
  try {
    prepared = await prepare(config, norm);
    const report = createReport(config, prepared, from);
    say = report.line;
    const result = await runTraining(config, prepared, from, report, interrupt.signal);
    say = print;
    if (result.type === "interrupted") return interrupted(result.step);
    const after = await afterTraining(config, prepared, interrupt.signal);
    if (after === undefined) return interrupted(result.summary.steps);
    const failure = await saveWeights(config, prepared.trainer);
    const seconds = (performance.now() - began) / 1000;
    const weights = failure === undefined ? config.save : undefined;
    const summary = { ...result.summary, ...after, seconds, weights };
    console.log(describeSummary(summary));
    if (out !== undefined) await writeSummary(out, summary);
    if (failure !== undefined) throw failure;
    return result.recorded ? 0 : 1;
  } finally {
    interrupt.dispose();
    await prepared?.backend.dispose();
  }
}

/** Writes what `--save` asks for, and returns why that was not possible. */
async function saveWeights(config: Config, trainer: Trainer): Promise<Error | undefined> {
  const { save, out } = config;
  if (save === undefined) return undefined;
  try {
    await saveStateDict(save, trainer, weightsMetadata(config, trainer.model));
    return undefined;
  } catch (error) {
    const go =
      out === undefined
        ? ""
        : `; pnpm train --out ${shellWord(out)} --resume --save FILE tries another`;
    return new Error(`train: cannot write --save ${save} (${(error as Error).message})${go}`, {
      cause: error,
    });
  }
}
