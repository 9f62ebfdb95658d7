// `pnpm gpu-bundle`: puts the benchmark, which is built before, with all it needs in a folder and packs that.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { assemble } from "./assemble.mjs";
import { fetchNode } from "./fetch-node.mjs";

/** What a bundle may weigh, in bytes. */
const MOST = 60e6;

const root = fileURLToPath(new URL("../../..", import.meta.url));
const usage = `usage: pnpm gpu-bundle [--out FILE.tar.gz] [--node FILE]

Packs "pnpm bench gpu" and "pnpm bench peers" for a Linux x64 machine without network.
  --out   where the archive goes; default fewnorm-gpu.tar.gz in the repository
  --node  a Node binary for Linux x64, instead of that of npm's package "node"`;

try {
  main();
} catch (error) {
  console.error(`gpu-bundle: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

function main() {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((word) => word !== "--"),
    options: {
      out: { type: "string", default: "fewnorm-gpu.tar.gz" },
      node: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  // The repository's root, when pnpm runs this.
  const cwd = process.env.INIT_CWD ?? process.cwd();
  const out = resolve(cwd, values.out);
  const scratch = mkdtempSync(join(tmpdir(), "fewnorm-gpu-"));
  try {
    const folder = join(scratch, "fewnorm-gpu");
    const node = values.node === undefined ? fetchNode(scratch) : resolve(cwd, values.node);
    assemble({ root, folder, node });
    mkdirSync(dirname(out), { recursive: true });
    // gzip rather than what packs better: every machine unpacks it.
    execFileSync(
      "tar",
      [
        "--create",
        "--use-compress-program=gzip -9",
        "--owner=0",
        "--group=0",
        "--sort=name",
      ].concat([`--file=${out}`, `--directory=${scratch}`, "fewnorm-gpu"]),
      { stdio: "inherit" },
    );
  } finally {
    rmSync(scratch, { recursive: true });
  }
  const { size } = statSync(out);
  if (size > MOST) {
    throw new Error(`${out} has ${size} bytes, ${MOST} are allowed; leave something out`);
  }
  console.log(`${out}: ${(size / 1e6).toFixed(1)} MB`);
}
