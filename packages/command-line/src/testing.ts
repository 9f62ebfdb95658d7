// For tests of commands: one in a process of its own, and a folder for what it writes.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that may still be running. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once stdout holds the text. @throws Error when the process ends without. */
  says(text: string): Promise<void>;
}

/**
 * Starts a script in Node.
 * @param env beside that of this process, in which FEWNORM_DEBUG is taken back
 */
export function startScript(
  script: URL,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, FEWNORM_DEBUG: "", ...env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    child,
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (stdout.includes(text)) resolve();
        };
        child.stdout.on("data", look);
        look();
        const late = () => reject(new Error(`"${text}" was not said: ${stdout}${stderr}`));
        ended.then(late, reject);
      }),
  };
}

/** Calls `body` with a new folder, and removes it with all that is in it. */
export async function inFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-"));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
