// Runs the command in a child process.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const main = fileURLToPath(new URL("../src/main.js", import.meta.url));

/** @param onOutput called with the child whenever it has written to stdout */
export function bench(
  args: readonly string[],
  options: {
    env?: NodeJS.ProcessEnv;
    onOutput?: (child: ChildProcess, stdout: string) => void;
  } = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [main, ...args], { env: options.env ?? process.env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.onOutput?.(child, stdout);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}
