// Runs the tool under test on one of the fixture packages.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TOOL = fileURLToPath(new URL("../src/run-tests.mjs", import.meta.url));

/** @param {string} name */
export function fixture(name) {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

/** @param {string} name @param {string[]} parameters */
export function runTests(name, ...parameters) {
  const cwd = fixture(name);
  const { status, stdout } = spawnSync(process.execPath, [TOOL, ...parameters], {
    cwd,
    encoding: "utf8",
  });
  const results = join(cwd, "dist/test-results.json");
  const last = stdout.trimEnd().split("\n").at(-1);
  return {
    status,
    stdout,
    last,
    results: existsSync(results) ? JSON.parse(readFileSync(results, "utf8")) : undefined,
  };
}

/** @param {(folder: string) => void} use */
export function withFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "run-tests-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
