// Text for the terminal: failures in full, skips with their reason, one line of totals.
import { pathToFileURL } from "node:url";

const MAX_OUTPUT_LINES = 200;

/** @typedef {{ passed: number, failed: number, skipped: number }} Totals */

/** @param {Totals} totals */
export function totalsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * @param {{ source: string, cases: readonly import("./cases.mjs").Case[], output: string }} result
 * @returns {string[]} lines about everything that did not pass
 */
export function fileReport({ source, cases, output }) {
  const lines = [];
  for (const one of cases) {
    if (one.status === "skipped") lines.push(`SKIP ${source}: ${one.name} (${one.reason})`);
    if (one.status !== "failed") continue;
    lines.push(`FAIL ${source}: ${one.name}`);
    for (const failure of one.failures)
      lines.push(...failureLines(failure).map((line) => `  ${line}`));
  }
  if (output.trim() && cases.some((one) => one.status === "failed")) {
    const all = output.trimEnd().split("\n");
    const shown = all.slice(-MAX_OUTPUT_LINES);
    lines.push(`  output of ${source}:`);
    if (shown.length < all.length) lines.push(`  | … ${all.length - shown.length} lines before`);
    lines.push(...shown.map((line) => `  | ${line}`));
  }
  return lines;
}

/** @param {import("./cases.mjs").Failure} failure @returns {string[]} */
function failureLines({ name, operator, expected, actual, stack }) {
  const lines = name.split("\n");
  if (expected !== undefined && operator !== "fail") {
    lines.push(...labelled("expected", expected), ...labelled("actual", actual ?? "undefined"));
  }
  return stack ? [...lines, ...usefulStack(stack)] : lines;
}

/** @param {string} label @param {string} text */
function labelled(label, text) {
  const [first = "", ...rest] = text.split("\n");
  return [`  ${label.padEnd(8)} ${first}`, ...rest.map((line) => `           ${line}`)];
}

/** The frames outside tape and Node, paths relative to where we are. @param {string} stack */
function usefulStack(stack) {
  const here = pathToFileURL(`${process.cwd()}/`).href;
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line) && !/node:|node_modules|run-tests\/src/.test(line))
    .slice(0, 8)
    .map((line) => `  ${line.trim().replace(here, "")}`);
}
