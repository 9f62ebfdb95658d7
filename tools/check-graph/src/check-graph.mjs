#!/usr/bin/env node
import { findProblems } from "./rules.mjs";
// `check-graph [ROOT]`: prints every breach of the rules on packages and imports, and fails if there is one.
import { readWorkspace } from "./workspace.mjs";

const members = readWorkspace(process.argv[2] ?? ".");
const problems = findProblems(members);
for (const problem of problems) console.error(problem);
const count = problems.length;
const verdict = count === 0 ? "no problems" : `${count} problem${count === 1 ? "" : "s"}`;
console.log(`check-graph: ${members.length} packages, ${verdict}`);
process.exitCode = count === 0 ? 0 : 1;
