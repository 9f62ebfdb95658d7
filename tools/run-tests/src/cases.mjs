// From tape's events to test cases: one for each named test, however many assertions it makes.

/**
 * @typedef {{ name: string, operator?: string, expected?: string, actual?: string, stack?: string }} Failure
 * @typedef {{ name: string, status: "passed" | "failed" | "skipped", reason?: string, failures: Failure[] }} Case
 * @typedef {{ code: number | null, signal: string | null, timedOut?: boolean }} Exit
 * @typedef {{
 *   name: string, parent?: number, skip: unknown, todo: unknown, ended: boolean, hasChildren: boolean,
 *   asserts: any[]
 * }} Open
 */

/**
 * Test cases of one file. A case fails with a failed assertion or if it never ended; a process that ends
 * badly, or a file without any test, is one more failed case.
 * @param {readonly any[]} events rows of tape's object stream; test 0 is the loading of the file
 * @param {Exit} exit how the process ended
 * @returns {Case[]}
 */
export function casesOf(events, exit) {
  /** @type {Map<number, Open>} */
  const tests = new Map();
  for (const event of events) {
    if (event.type === "test") {
      const { name, parent, skip, todo } = event;
      tests.set(event.id, {
        name,
        parent,
        skip,
        todo,
        ended: false,
        hasChildren: false,
        asserts: [],
      });
      const above = tests.get(parent);
      if (above) above.hasChildren = true;
    } else if (event.type === "assert") tests.get(event.test)?.asserts.push(event);
    else if (event.type === "end") {
      const test = tests.get(event.test);
      if (test) test.ended = true;
    }
  }
  const cases = [];
  for (const [id, test] of tests) {
    const result = caseOf(test, fullName(test, tests));
    const counts = id !== 0 && !(test.hasChildren && test.asserts.length === 0);
    if (counts || result.status === "failed") cases.push(result);
  }
  const problem = exitProblem(exit, cases, tests.size);
  if (problem) cases.push(failed("(process)", problem));
  return cases;
}

/** @param {Exit} exit @param {Case[]} cases @param {number} started */
function exitProblem(exit, cases, started) {
  if (exit.timedOut)
    return "killed: it did not end, see --timeout; is a worker or a handle left open?";
  if (exit.signal) return `killed by ${exit.signal}`;
  const anyFailed = cases.some((one) => one.status === "failed");
  if (exit.code !== 0 && !anyFailed) return `exited with code ${exit.code}`;
  if (started <= 1 && !anyFailed) return "the file has no tests";
  return undefined;
}

/** @param {Open} test @param {Map<number, Open>} tests @returns {string} */
function fullName(test, tests) {
  const parent = test.parent === undefined ? undefined : tests.get(test.parent);
  return parent ? `${fullName(parent, tests)} > ${test.name}` : test.name;
}

/** @param {string} name @param {string} message @returns {Case} */
export function failed(name, message) {
  return { name, status: "failed", failures: [{ name: message }] };
}

/** @param {Open} test @param {string} name @returns {Case} */
function caseOf(test, name) {
  if (test.skip) return skipped(name, test.skip);
  const failures = test.asserts.filter((one) => !one.ok && !one.skip && !one.todo && !test.todo);
  if (failures.length > 0) return { name, status: "failed", failures: failures.map(toFailure) };
  if (!test.ended) return failed(name, "the process ended before this test did");
  if (test.todo) return skipped(name, test.todo === true ? "todo" : `todo: ${test.todo}`);
  const last = test.asserts.at(-1);
  // A test that finds at run time that it cannot run says t.skip(reason) and asserts nothing else.
  if (last && test.asserts.every((one) => one.skip)) {
    return skipped(name, typeof last.skip === "string" ? last.skip : last.name);
  }
  return { name, status: "passed", failures: [] };
}

/** @param {string} name @param {unknown} reason @returns {Case} */
function skipped(name, reason) {
  const text = typeof reason === "string" ? reason : "no reason given";
  return { name, status: "skipped", reason: text, failures: [] };
}

/** @param {any} one @returns {Failure} */
function toFailure({ name, operator, expected, actual, stack }) {
  return { name, operator, expected, actual, stack };
}

/**
 * @param {readonly Case[]} cases
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function count(cases) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const one of cases) totals[one.status]++;
  return totals;
}
