#!/usr/bin/env node
// `pnpm new-package NAME --layer N [--description TEXT]`: a new package that builds, passes its test and lints.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { createPackage } from "./create-package.mjs";

const USAGE = "pnpm new-package NAME --layer N [--description TEXT]";

/** @param {string} message @returns {never} */
function stop(message) {
  console.error(message);
  process.exit(1);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        layer: { type: "string" },
        description: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    return { ...values, positionals };
  } catch (error) {
    return stop(`new-package: ${error instanceof Error ? error.message : error}\nusage: ${USAGE}`);
  }
}

const { positionals, layer, description, help } = readArguments();
if (help) {
  console.log(
    `${USAGE}\n\nMakes packages/NAME. A strategy has layer 2; docs/architecture.md lists the layers.`,
  );
  process.exit(0);
}
const [name] = positionals;
if (name === undefined || positionals.length > 1 || layer === undefined) stop(`usage: ${USAGE}`);

try {
  const files = createPackage(".", { name, layer, description });
  for (const file of files) console.log(file);
} catch (error) {
  stop(error instanceof Error ? error.message : String(error));
}
const install = spawnSync("pnpm", ["install", "--reporter=silent"], { stdio: "inherit" });
if (install.status !== 0) stop("new-package: the files are there, but pnpm install failed");
// Long names break lines elsewhere than in the templates.
spawnSync("biome", ["check", "--write", `packages/${name}`], { stdio: "ignore" });
console.log(`\nNext: pnpm turbo run test --filter=@fewnorm/${name}`);
