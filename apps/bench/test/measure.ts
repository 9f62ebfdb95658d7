// Runs the command as a user would and reads the record that it writes.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, inFolder as inAnyFolder } from "@fewnorm/command-line/testing";
import type { Test } from "tape";
import { bench } from "./command.ts";
import { parseRecord, type Record } from "./record-schema.ts";

/** Calls `body` with a folder, in which it leaves nothing but its record. */
export const inFolder = (t: Test, body: (folder: string) => Promise<void>): Promise<void> =>
  inAnyFolder(async (folder) => {
    await body(folder);
    t.deepEqual(
      (await readdir(folder)).filter((name) => name !== "samples.json"),
      [],
      "nothing else is left behind",
    );
  });

/** Runs the command with --json. */
export async function measure(
  t: Test,
  args: readonly string[],
  folder: string,
): Promise<Ended & { record: Record }> {
  const file = join(folder, "samples.json");
  const outcome = await bench([...args, "--json", file]);
  t.equal(outcome.code, 0, `exit status of ${args.join(" ")}`);
  t.equal(outcome.stderr, "", "no bar where there is no terminal");
  return { ...outcome, record: parseRecord(await readFile(file, "utf8")) };
}

/** What the table says of a case. */
export const quantities = (record: Record, name: string): string[] =>
  record.suites
    .flatMap(({ sections }) => sections)
    .flatMap(({ results }) => results)
    .filter((result) => result.case === name)
    .map(({ quantity }) => quantity);
