// Adds up what the packages' test runs left behind, and names every package that should have left something.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findTests } from "./find-tests.mjs";
import { totalsLine } from "./report.mjs";

/**
 * @typedef {{ name: string, folder: string, runs: boolean }} Member
 * runs: whether the package has a test script.
 */

/**
 * @param {readonly Member[]} members the packages that were to be tested
 * @returns {{ lines: string[], totals: { passed: number, failed: number, skipped: number } }} a package with
 * tests but without results is one failure
 */
export function summarize(members) {
  const lines = [];
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, folder, runs } of members) {
    const file = join(folder, "dist/test-results.json");
    if (existsSync(file)) {
      const results = JSON.parse(readFileSync(file, "utf8"));
      for (const key of /** @type {const} */ (["passed", "failed", "skipped"])) {
        totals[key] += results[key];
      }
      if (results.passed + results.failed + results.skipped === 0) continue;
      lines.push(`${name}: ${totalsLine(results)}`, ...details(results.files));
    } else if (findTests(folder).length > 0) {
      totals.failed++;
      const why = runs ? "did its build fail, or was the run cut off?" : "it lacks a test script";
      lines.push(`${name}: has tests but no results; ${why}`);
    }
  }
  return { lines, totals };
}

/** @param {{ source: string, cases: import("./cases.mjs").Case[] }[]} files @returns {string[]} */
function details(files) {
  return files.flatMap(({ source, cases }) =>
    cases.flatMap(({ name, status, reason }) => {
      if (status === "passed") return [];
      return status === "failed"
        ? [`  FAIL ${source}: ${name}`]
        : [`  SKIP ${source}: ${name} (${reason})`];
    }),
  );
}
