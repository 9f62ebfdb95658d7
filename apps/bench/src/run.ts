// The command from its arguments to its exit status.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Backend } from "@fewnorm/backend";
import { listenForInterrupt, loadStrategy, newerNode } from "@fewnorm/command-line";
import { type Dataset, loadEmbedded, openDataset } from "@fewnorm/data";
import { parseBackend } from "@fewnorm/presets";
import { foldIn, key as keyOf } from "@fewnorm/tensor";
import { replaceFile } from "@fewnorm/train/node";
import { describeMachine } from "./machine.ts";
import { nameNorms } from "./named-norms.ts";
import { chosenSuites, parseOptions } from "./options.ts";
import { makeRecord, type SuiteRecord } from "./record.ts";
import type { Section, SuiteContext } from "./suite.ts";
import { suites } from "./suites.ts";
import { createBar, formatSection } from "./terminal.ts";

/**
 * Runs the command and returns its exit status.
 * @throws Error with a message for the user: a usage error where the command line is at fault.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv, suites);
  const chosen = chosenSuites(options.suites, suites);
  for (const suite of chosen) suite.check?.(options);
  if (options.json !== undefined) await checkWritable(options.json);
  const cwd = process.cwd();
  const samplings = await Promise.all(options.strategies.map((name) => loadStrategy(name, cwd)));
  const began = new Date();
  const interrupt = listenForInterrupt();
  const records: SuiteRecord[] = [];
  let backend: Backend | undefined;
  let dataset: Promise<Dataset> | undefined;

  const shared: Omit<SuiteContext, "key" | "began" | "deadline" | "status"> = {
    options,
    signal: interrupt.signal,
    norms(always, byDefault) {
      return nameNorms({ always, asked: options.norms, byDefault }, samplings);
    },
    async backend() {
      if (backend === undefined) {
        backend = await parseBackend(options.backend)({ threads: options.threads });
        console.log(`${headline(backend)}\n`);
      }
      return backend;
    },
    dataset() {
      const { data } = options;
      dataset ??= data === undefined ? loadEmbedded() : openDataset(data);
      return dataset;
    },
  };

  /** Writes down what has been measured; `whole` if nothing is missing. */
  async function keep(whole: boolean): Promise<void> {
    if (options.json === undefined) return;
    const record = makeRecord({ began, options, backend, interrupted: !whole, suites: records });
    await writeRecord(options.json, `${JSON.stringify(record, null, 1)}\n`);
  }

  /** Runs one suite after another, until interrupted. */
  async function measure(): Promise<void> {
    // What cannot be opened is told before minutes have been spent on what does not need it.
    if (options.data !== undefined) await shared.dataset();
    for (const [i, suite] of chosen.entries()) {
      if (interrupt.signal.aborted) break;
      const now = performance.now();
      const span = { began: now, deadline: now + 1000 * options.time };
      const sections: Section[] = [];
      records.push({ suite: suite.name, sections });
      let bar = createBar(suite.name, span, process.stderr);
      const key = foldIn(keyOf(options.seed), i);
      const status = (text: string) => bar.status(text);
      try {
        for await (const section of suite.run({ ...shared, ...span, key, status })) {
          // Interrupted before its first sample.
          const { series } = section;
          if (series.length > 0 && series.every(({ samples }) => samples.length === 0)) continue;
          bar.stop();
          sections.push(section);
          console.log(formatSection(section));
          bar = createBar(suite.name, span, process.stderr);
        }
      } finally {
        bar.stop();
      }
    }
  }

  try {
    try {
      await measure();
    } catch (error) {
      if (records.some(({ sections }) => sections.length > 0)) await keep(false);
      throw error;
    }
    const interrupted = interrupt.signal.aborted;
    await keep(!interrupted);
    if (interrupted) console.log("interrupted: the tables show what was measured until then");
  } finally {
    interrupt.dispose();
    await backend?.dispose();
  }
  return interrupt.exitCode() ?? 0;
}

function headline(backend: Backend): string {
  const { cpu, cores, memory } = describeMachine();
  const size = `${(memory / 2 ** 30).toFixed(0)} GiB`;
  const line = `${backend.description} on ${cpu}, ${cores} cores, ${size}, Node ${process.versions.node}`;
  const hint = newerNode(backend.description);
  return hint === undefined ? line : `${line}\n${hint}`;
}

const unwritable = (file: string, reason: string): Error =>
  new Error(
    `bench: cannot write --json ${file} (${reason}); give a file in a folder that can be written to`,
  );

/** Says so before anything is measured. @throws Error when `file` could not be written. */
async function checkWritable(file: string): Promise<void> {
  const path = resolve(file);
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile()) {
    throw unwritable(file, `it is ${found.isDirectory() ? "a folder" : "no regular file"}`);
  }
  await access(dirname(path), constants.W_OK).catch(({ message }: Error) => {
    throw unwritable(file, message);
  });
}

async function writeRecord(file: string, text: string): Promise<void> {
  await replaceFile(resolve(file), text).catch(({ message }: Error) => {
    throw unwritable(file, message);
  });
}
