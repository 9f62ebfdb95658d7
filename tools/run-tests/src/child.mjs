// Runs one test file in a process of its own and writes tape's events to a file, one JSON value a line.
// Arguments: the test file, the events file. Writes are synchronous, so a crash loses nothing.
import { openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

const [file = "", eventsFile = ""] = process.argv.slice(2);
const events = openSync(eventsFile, "a");

/** @param {unknown} value */
function show(value) {
  return inspect(value, { depth: 6, maxArrayLength: 24, maxStringLength: 4000, breakLength: 96 });
}

/** @param {any} row */
function toEvent(row) {
  if (typeof row === "string") return undefined; // a comment
  if (row.type !== "assert") return row;
  const { ok, name, test, skip, todo, operator } = row;
  if (ok) return { type: "assert", ok, name, test, skip, todo };
  const error = row.actual instanceof Error ? row.actual : row.error;
  const compared = "expected" in row || "actual" in row;
  return {
    type: "assert",
    ok,
    name: String(name),
    test,
    skip,
    todo,
    operator,
    ...(compared ? { expected: show(row.expected), actual: show(row.actual) } : {}),
    stack: error?.stack,
  };
}

// The test file must use the same copy of tape, hence resolve it from there.
const tape = createRequire(file)("tape");
tape.createStream({ objectMode: true }).on("data", (/** @type {unknown} */ row) => {
  const event = toEvent(row);
  if (event) writeSync(events, `${JSON.stringify(event)}\n`);
});

// Loading is the first test: tape starts at once, and an `await` at the top of the file must not let it
// find nothing to run. It also turns an error while loading into a failure with a stack.
tape("load", async () => {
  await import(pathToFileURL(file).href);
});
