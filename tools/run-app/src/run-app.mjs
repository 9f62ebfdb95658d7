// `pnpm bench …`, `pnpm train …`: builds what the app needs, silent unless that fails, then runs it with the
// given arguments in the folder where the user called. Exit status and signals pass through.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { passThrough } from "./pass-through.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const [app, ...given] = process.argv.slice(2);

const build = spawnSync(
  join(root, "node_modules/.bin/turbo"),
  ["run", "build", `--filter=@fewnorm/app-${app}`, "--output-logs=errors-only"],
  {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1" },
  },
);
if (build.status !== 0) {
  process.stderr.write(`${build.stdout ?? ""}${build.stderr ?? ""}`);
  console.error(
    `${app}: the build failed, see above; what was pulled anew may need pnpm install first`,
  );
  process.exit(1);
}

// pnpm runs scripts in the root folder and says in INIT_CWD where it was called.
const cwd = process.env.INIT_CWD ?? process.cwd();
const main = join(root, "apps", String(app), "dist/src/main.js");
passThrough(spawn(process.execPath, [main, ...given], { cwd, stdio: "inherit" }));
