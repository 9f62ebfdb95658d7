// `pnpm test [TURBO OPTIONS]`: builds and tests every package through turbo. The last line counts the test cases
// of all of them; the exit status says whether every one was run and none failed.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { totalsLine } from "./report.mjs";
import { summarize } from "./summary.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));

// Results depend on the version of Node, and turbo hashes only what it is told of.
process.env.FEWNORM_NODE = process.version;
process.env.TURBO_TELEMETRY_DISABLED = "1";

/** @param {string[]} parameters @param {"inherit" | "pipe"} stdout */
function turbo(parameters, stdout) {
  return spawnSync(join(root, "node_modules/.bin/turbo"), ["run", "test", ...parameters], {
    cwd: root,
    stdio: ["inherit", stdout, "inherit"],
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
}

const given = process.argv.slice(2);
const dry = turbo(["--dry=json", ...given], "pipe");
if (dry.status !== 0) {
  console.error("test: turbo could not plan the run, see above");
  process.exit(1);
}
/** @type {{ tasks: { task: string, package: string, directory: string, command: string }[] }} */
const plan = JSON.parse(dry.stdout);
const members = plan.tasks
  .filter(({ task }) => task === "test")
  .map(({ package: name, directory, command }) => {
    return { name, folder: join(root, directory), runs: command !== "<NONEXISTENT>" };
  });
for (const { folder } of members) rmSync(join(folder, "dist/test-results.json"), { force: true });

const run = turbo(
  [
    "--continue=dependencies-successful",
    "--output-logs=errors-only",
    "--log-order=grouped",
    "--no-update-notifier",
    ...given,
  ],
  "inherit",
);
const { lines, totals } = summarize(members);
// Nothing counted as failed although turbo failed: something outside the tests did, a type check for example.
if (run.status !== 0 && totals.failed === 0) {
  totals.failed++;
  lines.push("turbo failed, see above");
}
console.log(["", ...lines, "", totalsLine(totals)].join("\n"));
process.exitCode = totals.failed > 0 ? 1 : 0;
