// Running a module in a process of its own.
import { execFile } from "node:child_process";

/** What the module wrote and how it ended; `code` is null if it hung and had to be killed. */
export function runScript(path: string): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    // Only a process that hangs meets the limit: a verdict about hanging, not about speed.
    execFile(process.execPath, [path], { timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error ? (error as { code?: unknown }).code : 0;
      resolve({ code, output: code === 0 || code === 1 ? stdout : stdout + stderr });
    });
  });
}
