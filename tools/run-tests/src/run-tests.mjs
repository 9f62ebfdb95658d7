#!/usr/bin/env node
// `run-tests [WORD...]`: runs the tests of the package in the current folder, those whose path contains one of
// the words, and leaves dist/test-results.json for the summary over all packages.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { count, failed } from "./cases.mjs";
import { findTests } from "./find-tests.mjs";
import { fileReport, totalsLine } from "./report.mjs";
import { runFile } from "./run-file.mjs";

const RESULTS = "dist/test-results.json";

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { timeout: { type: "string", default: "900" } },
});
const timeout = Number(values.timeout);
if (!(timeout > 0)) {
  console.error(`run-tests: --timeout ${values.timeout} is not a number of seconds; pass e.g. 900`);
  process.exit(2);
}

// So that the test processes are ended with this one, see run-file.mjs.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

// Results of an earlier run must never stand for this one.
rmSync(RESULTS, { force: true });
const all = findTests(".");
const tests = all.filter(({ source }) => words.every((word) => source.includes(word)));
if (words.length > 0 && tests.length === 0) {
  console.error(`run-tests: no test file matches ${words.join(" ")}; there are ${all.length}`);
  process.exit(2);
}

const files = [];
for (const { source, file, exists } of tests) {
  const result = exists
    ? await runFile(resolve(file), { timeout })
    : { cases: [failed("(file)", `${file} is missing; build the package first`)], output: "" };
  for (const line of fileReport({ source, ...result })) console.log(line);
  files.push({ source, cases: result.cases });
}
const totals = count(files.flatMap((one) => one.cases));
const { name } = JSON.parse(readFileSync("package.json", "utf8"));
mkdirSync("dist", { recursive: true });
writeFileSync(RESULTS, `${JSON.stringify({ package: name, ...totals, files })}\n`);
console.log(totalsLine(totals));
process.exitCode = totals.failed > 0 ? 1 : 0;
