import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "tape";
import { summarize } from "../src/summary.mjs";
import { withFolder } from "./helpers.mjs";

/** @param {string} root @param {string} name @param {object} [results] */
function member(root, name, results) {
  const folder = join(root, name);
  mkdirSync(join(folder, "test"), { recursive: true });
  mkdirSync(join(folder, "dist"), { recursive: true });
  if (results) writeFileSync(join(folder, "dist/test-results.json"), JSON.stringify(results));
  return { name, folder, runs: true };
}

test("summarize adds up and names what did not pass", (t) => {
  withFolder((root) => {
    const skip = { name: "s", status: "skipped", reason: "no GPU", failures: [] };
    const fail = { name: "f", status: "failed", failures: [] };
    const files = [{ source: "test/a.test.ts", cases: [skip, fail] }];
    const { totals, lines } = summarize([
      member(root, "one", { passed: 3, failed: 1, skipped: 1, files }),
      member(root, "two", { passed: 4, failed: 0, skipped: 0, files: [] }),
      member(root, "without-tests"),
    ]);
    t.deepEqual(totals, { passed: 7, failed: 1, skipped: 1 });
    t.deepEqual(lines, [
      "one: 3 passed, 1 failed, 1 skipped",
      "  SKIP test/a.test.ts: s (no GPU)",
      "  FAIL test/a.test.ts: f",
      "two: 4 passed, 0 failed, 0 skipped",
    ]);
  });
  t.end();
});

test("summarize counts a package with tests but without results as a failure", (t) => {
  withFolder((root) => {
    const one = member(root, "one");
    const two = { ...member(root, "two"), runs: false };
    for (const { folder } of [one, two]) writeFileSync(join(folder, "test/a.test.ts"), "");
    const { totals, lines } = summarize([one, two]);
    t.deepEqual(totals, { passed: 0, failed: 2, skipped: 0 });
    t.match(lines[0] ?? "", /one: has tests but no results; did its build fail/);
    t.match(lines[1] ?? "", /two: has tests but no results; it lacks a test script/);
  });
  t.end();
});
