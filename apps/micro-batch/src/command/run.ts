// The command from its arguments to its exit status.

import { setImmediate } from "node:timers/promises";
import type { Backend } from "@fewnorm/backend";
import { isTerminal, listenForInterrupt, usageError } from "@fewnorm/command-line";
import { loadEmbedded } from "@fewnorm/data";
import { parseBackend } from "@fewnorm/presets";
import { compare } from "../comparison.ts";
import { defaults, type Settings } from "../settings.ts";
import { createLines, createPicture } from "./live.ts";
import { type Options, parseOptions } from "./options.ts";
import { createStandings, tableOf } from "./standings.ts";

/**
 * Runs the command and returns its exit status.
 * @throws Error with a message for the user: a usage error where the command line is at fault.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  const { backend: name, threads } = options;
  const backend = await parseBackend(name)({ threads });
  try {
    return await show(options, backend);
  } finally {
    await backend.dispose();
  }
}

async function show({ settings, images }: Options, backend: Backend): Promise<number> {
  const { stdout } = process;
  const { batch, micro, learningRate, seed, methods } = settings;
  const steps = Math.ceil(images / batch);
  const dataset = await loadEmbedded();
  const { count } = dataset.train;
  if (batch > count) {
    throw usageError(
      `--batch is ${batch}, but the data set has ${count} images to train on; give at most ${count}`,
    );
  }
  stdout.write(
    `steps of ${batch} images in micro-batches of ${micro}, learning rate ${learningRate}, seed ${seed}; ${backend.description}\n`,
  );
  const standings = createStandings(methods);
  const live = isTerminal(stdout)
    ? createPicture(steps * batch, stdout)
    : createLines((line) => stdout.write(`${line}\n`));
  const interrupt = listenForInterrupt({ onSecond: () => live.stop(standings.all) });
  try {
    const all: Settings = { ...defaults, ...settings };
    let tested = new Set<number>();
    for await (const event of compare(backend, dataset, all, { steps })) {
      standings.see(event);
      if (event.type === "test") tested.add(event.method);
      const racing = standings.all.filter(({ failure }) => failure === undefined).length;
      const complete = tested.size > 0 && tested.size >= racing;
      live.update(standings.all, complete);
      if (complete) tested = new Set();
      await setImmediate();
      if (interrupt.exitCode() !== undefined) break;
    }
  } finally {
    live.stop(standings.all);
    interrupt.dispose();
  }
  stdout.write(tableOf(standings.all));
  const code = interrupt.exitCode();
  if (code !== undefined) {
    stdout.write(`interrupted before ${(steps * batch).toLocaleString("en")} images\n`);
    return code;
  }
  // That some methods diverge where others do not is what a comparison is for; the table says which.
  return standings.all.every(({ failure }) => failure !== undefined) ? 1 : 0;
}
