import { rmSync } from "node:fs";
import test from "tape";
import { fixture, runTests } from "./helpers.mjs";

test("run-tests counts test cases, not assertions", (t) => {
  const { status, stdout, last, results } = runTests("counts");
  t.equal(last, "2 passed, 2 failed, 2 skipped");
  t.equal(status, 1);
  t.deepEqual(
    [results.package, results.passed, results.failed, results.skipped],
    ["fixture-counts", 2, 2, 2],
  );
  t.match(stdout, /SKIP test\/a\.test\.mjs: skipped \(needs a GPU\)/, "a skip says why");
  t.match(stdout, /SKIP test\/a\.test\.mjs: skipped at run time \(no SharedArrayBuffer\)/);
  t.match(stdout, /one is two\n\s+expected 2\n\s+actual {3}1\n\s+at .*test\/a\.test\.mjs:10:/);
  t.match(stdout, /FAIL test\/a\.test\.mjs: group > inner fails\n\s+Error: inner broke/);
  t.end();
});

test("run-tests runs every file, and waits for an await at the top of one", (t) => {
  const { status, stdout, last } = runTests("passes");
  t.equal(last, "2 passed, 0 failed, 0 skipped");
  t.equal(status, 0);
  t.equal(stdout.trimEnd(), last, "nothing else is printed when all is well");
  t.end();
});

test("run-tests runs the files that are asked for", (t) => {
  t.equal(runTests("passes", "b.test").last, "1 passed, 0 failed, 0 skipped");
  t.equal(runTests("passes", "misspelt").status, 2);
  t.equal(runTests("passes", "misspelt").results, undefined, "older results do not stay");
  t.end();
});

/** @type {[name: string, last: string, message: RegExp][]} */
const broken = [
  ["throws", "1 passed, 1 failed, 0 skipped", /thrown in a test/],
  ["throws-after-all", "1 passed, 1 failed, 0 skipped", /thrown later/],
  ["load-error", "1 passed, 1 failed, 0 skipped", /thrown while loading/],
  ["pending", "1 passed, 1 failed, 0 skipped", /exited without ending: never ends/],
  ["exits", "0 passed, 1 failed, 0 skipped", /exited without ending: exits/],
  ["killed", "1 passed, 2 failed, 0 skipped", /killed by SIGKILL[\s\S]*last words/],
  ["exit-code", "1 passed, 1 failed, 0 skipped", /exited with code 7/],
  ["empty", "0 passed, 1 failed, 0 skipped", /the file has no tests/],
  ["only", "0 passed, 1 failed, 0 skipped", /`only` tests are prohibited/],
  ["not-built", "0 passed, 1 failed, 0 skipped", /dist\/test\/a\.test\.js is missing/],
];
for (const [name, last, message] of broken) {
  test(`run-tests reports a failure for the file "${name}"`, (t) => {
    const run = runTests(name);
    t.equal(run.last, last);
    t.equal(run.status, 1);
    t.match(run.stdout, message);
    t.equal(run.results.failed > 0, true);
    t.end();
  });
}

test("run-tests kills a process that does not end", (t) => {
  const run = runTests("hangs", "--timeout", "3");
  t.equal(run.status, 1);
  t.match(run.stdout, /killed: it did not end/);
  t.end();
});

test("run-tests refuses a senseless timeout", (t) => {
  t.equal(runTests("passes", "--timeout", "soon").status, 2);
  t.end();
});

test.onFinish(() => {
  for (const name of ["counts", "passes", "hangs", ...broken.map(([one]) => one)]) {
    rmSync(`${fixture(name)}/dist`, { recursive: true, force: true });
  }
});
