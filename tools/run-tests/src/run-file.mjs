// Runs one test file in a process of its own.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { casesOf } from "./cases.mjs";

const CHILD = fileURLToPath(new URL("./child.mjs", import.meta.url));

/**
 * @typedef {{ file: string, cases: import("./cases.mjs").Case[], output: string, seconds: number }} FileResult
 * output is what the file wrote to stdout and stderr.
 */

/**
 * @param {string} file absolute path of a JavaScript test file
 * @param {{ timeout: number }} options seconds after which a process that does not end is killed
 * @returns {Promise<FileResult>}
 */
export async function runFile(file, { timeout }) {
  const folder = mkdtempSync(join(tmpdir(), "run-tests-"));
  const events = join(folder, "events.ndjson");
  const begin = performance.now();
  try {
    const { exit, output } = await spawnChild([file, events], timeout);
    // What follows the last line feed was cut off by the end of the process.
    const lines = existsSync(events) ? readFileSync(events, "utf8").split("\n").slice(0, -1) : [];
    const rows = lines.map((line) => JSON.parse(line));
    const seconds = (performance.now() - begin) / 1000;
    return { file, cases: casesOf(rows, exit), output, seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string[]} parameters
 * @param {number} timeout
 * @returns {Promise<{ exit: import("./cases.mjs").Exit, output: string }>}
 */
function spawnChild(parameters, timeout) {
  return new Promise((resolve, reject) => {
    // A forgotten `test.only` would leave all other tests out, and the count would not show it.
    const env = { ...process.env, NODE_TAPE_NO_ONLY_TEST: "true" };
    const child = spawn(process.execPath, ["--enable-source-maps", CHILD, ...parameters], {
      stdio: ["ignore", "pipe", "pipe"],
      env,
    });
    /** @type {Buffer[]} */
    const chunks = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    let timedOut = false;
    const timer = setTimeout(
      () => {
        timedOut = true;
        child.kill("SIGKILL");
      },
      Math.min(1000 * timeout, 2 ** 31 - 1),
    ); // timers count in 31 bits
    const stop = () => child.kill("SIGKILL");
    process.once("exit", stop);
    child.on("error", reject);
    /** @type {import("./cases.mjs").Exit} */
    let exit = { code: null, signal: null };
    child.on("close", () => resolve({ exit, output: Buffer.concat(chunks).toString("utf8") }));
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      process.off("exit", stop);
      exit = { code, signal, timedOut };
      // A grandchild that still holds the pipes open must not hold us.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 2000).unref();
    });
  });
}
