import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "tape";

const TOOL = fileURLToPath(new URL("../src/check-graph.mjs", import.meta.url));

/** @param {Record<string, string>} files */
function check(files) {
  const root = mkdtempSync(join(tmpdir(), "check-graph-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return spawnSync(process.execPath, [TOOL, root], { encoding: "utf8" });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const workspace = {
  "pnpm-workspace.yaml": "packages:\n  - packages/*\n  - examples\n  - apps/*\n",
  "packages/a/package.json": '{ "name": "a", "fewnorm": { "layer": 0 } }',
  "packages/a/src/index.ts": 'export * from "./b.ts";',
  "packages/a/dist/src/old.js": 'import "undeclared";',
  "packages/a/test/fixtures/other.ts": "this is no TypeScript",
  "examples/package.json": '{ "name": "examples" }',
};

test("check-graph reads a workspace and leaves built files and fixtures alone", (t) => {
  const { status, stdout, stderr } = check(workspace);
  t.equal(stderr, "");
  t.equal(stdout, "check-graph: 2 packages, no problems\n");
  t.equal(status, 0);
  t.end();
});

test("check-graph prints problems and fails", (t) => {
  const { status, stdout, stderr } = check({ ...workspace, "examples/a.ts": 'import "lodash";' });
  t.match(stderr, /examples\/a\.ts: imports "lodash"/);
  t.equal(stdout, "check-graph: 2 packages, 1 problem\n");
  t.equal(status, 1);
  t.end();
});
