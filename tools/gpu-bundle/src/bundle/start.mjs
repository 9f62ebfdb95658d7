// Starts the benchmark where it can find Vulkan's driver, or says what is missing.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findVulkan } from "./find-vulkan.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const [suite = "gpu", ...given] =
  words[0] === "gpu" || words[0] === "peers" ? words : ["gpu", ...words];

if (given[0] === "--help" || given[0] === "-h") {
  console.log(`usage: ./bench [gpu | peers] [--check] [OPTION]…

Runs the benchmark "gpu" (or "peers") on WebGPU, on the Vulkan driver that it finds or that VK_DRIVER_FILES names.
  gpu       layer and step, with several norms
  peers     fewnorm beside PyTorch on CUDA, that of python3 or of the Python that PYTHON names
  --check   only says which driver that is
  --backend gpu:webasm, --batch N, --norms bn,bs:4,…, --time SECONDS, --json FILE, …
            as for "pnpm bench gpu" and "pnpm bench peers"`);
} else if (given.includes("--backend") && !given.includes("gpu:webgpu")) {
  run({});
} else {
  start();
}

function start() {
  const glibc = glibcVersion();
  if (glibc !== undefined && Number(glibc.split(".")[1]) < 34) {
    return fail(`WebGPU's library needs glibc 2.34, this machine has ${glibc}; use a newer system`);
  }
  const { drivers, libraryPath, problem, notes, description } = findVulkan({
    env: process.env,
    ownLoader: join(here, "lib"),
  });
  for (const note of notes) console.error(`bench: ${note}`);
  if (problem !== undefined) return fail(problem);
  const scratch = mkdtempSync(join(tmpdir(), "fewnorm-vulkan-"));
  process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
  const files = [...drivers];
  const shown = [...drivers];
  if (description !== undefined) {
    const file = join(scratch, "driver.json");
    writeFileSync(file, JSON.stringify(description));
    files.push(file);
    shown.push(description.ICD.library_path);
  }
  console.log(`Vulkan driver: ${shown.join(", ")}`);
  if (given.includes("--check")) return;
  // Loaders before 1.3.207 know the second name only.
  const chosen = files.join(":");
  const paths = [...libraryPath, ...(process.env.LD_LIBRARY_PATH ?? "").split(":")];
  run({
    VK_DRIVER_FILES: chosen,
    VK_ICD_FILENAMES: chosen,
    LD_LIBRARY_PATH: paths.filter((path) => path !== "").join(":"),
  });
}

/** @param {Record<string, string>} env */
function run(env) {
  const main = join(here, "node_modules/@fewnorm/app-bench/dist/src/main.js");
  const backend = given.includes("--backend") ? [] : ["--backend", "gpu:webgpu"];
  const child = spawn(process.execPath, [main, suite, ...backend, ...given], {
    stdio: "inherit",
    env: { ...process.env, FEWNORM_COMMIT: readFileSync(join(here, "COMMIT"), "utf8"), ...env },
  });
  // Ctrl-C reaches the benchmark by itself, which then ends in order.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

/** @returns {string | undefined} */
function glibcVersion() {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (
    process.report.getReport()
  );
  return report.header.glibcVersionRuntime;
}

/** @param {string} message */
function fail(message) {
  console.error(`bench: ${message}`);
  process.exitCode = 1;
}
