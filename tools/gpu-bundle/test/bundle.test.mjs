// A bundle in a folder of its own, run with nothing of what is around it. Node is this process's, so that no network is
// needed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "tape";
import { assemble } from "../src/assemble.mjs";

const skip =
  process.platform === "linux" && process.arch === "x64" ? false : "bundles are for Linux on x64";
const scratch = mkdtempSync(join(tmpdir(), "gpu-bundle-"));
const folder = join(scratch, "fewnorm-gpu");
if (!skip) {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  assemble({ root, folder, node: process.execPath });
}

/** @param {string[]} args @param {Record<string, string>} [env] */
const bench = (args, env = {}) =>
  spawnSync(join(folder, "bench"), args, { cwd: scratch, encoding: "utf8", env });

test("a bundle has nothing in it that only developers need, and no other system's libraries", {
  skip,
}, async (t) => {
  const files = readdirSync(folder, { recursive: true }).map(String);
  t.ok(files.includes("node_modules/webgpu/dist/linux-x64/dawn.node"), "Dawn");
  t.ok(
    files.some((file) => /data\/assets\/.*gz$/.test(file)),
    "the embedded data",
  );
  const odd = /\.map$|\.d\.ts$|darwin|win32|arm64|node_modules\/(playwright-core|vite|gl)$/;
  t.deepEqual(
    files.filter((file) => odd.test(file)),
    [],
  );
});

test("a bundle measures without anything around it", { skip }, async (t) => {
  const quick = ["--model", "lenet", "--batch", "2", "--shapes", "2x2x4x4", "--norms", "bs:2"];
  const args = [...quick, "--backend", "gpu:webasm", "--time", "0.01", "--json", "record.json"];
  const { status, stdout, stderr } = bench(args);
  t.equal(status, 0, stderr);
  t.match(stdout, /gpu webasm: step: lenet/);
  t.ok(readdirSync(scratch).includes("record.json"), "files are written where it is called");
});

test("a bundle compares with peers", { skip }, async (t) => {
  const quick = ["--batch", "2", "--shapes", "2x2x4x4", "--time", "0.01"];
  const { status, stdout, stderr } = bench(["peers", ...quick, "--backend", "gpu:webasm"], {
    PYTHON: "/nowhere/python",
  });
  t.equal(status, 0, stderr);
  t.match(stdout, /peers: resnet20 with bn, training, batch 2/);
  t.match(stdout, /TensorFlow.js is missing: npm install/, "a peer's program is there");
  const files = readdirSync(join(folder, "node_modules/@fewnorm/app-bench/peers"));
  t.ok(files.includes("pytorch.py"));
});

test("a bundle says which driver it takes, or what is missing", { skip }, async (t) => {
  const { status, stdout, stderr } = bench(["--check"]);
  if (status === 0) t.match(stdout, /^Vulkan driver: .+\n$/);
  else t.match(stderr, /^bench: .*(install|hand the GPU in)/);
  const named = bench([], { VK_DRIVER_FILES: "/nowhere.json" });
  t.equal(named.status, 1);
  t.match(named.stderr, /VK_DRIVER_FILES names \/nowhere.json, which is missing/);
  const peers = bench(["peers"], { VK_DRIVER_FILES: "/nowhere.json" });
  t.match(peers.stderr, /names \/nowhere.json/, "peers are compared on WebGPU, too");
});

const found = skip || bench(["--check"]).status === 0 ? skip : "there is no driver for Vulkan";

test("a bundle measures on WebGPU", { skip: found }, async (t) => {
  const quick = ["--model", "lenet", "--batch", "2", "--shapes", "2x2x4x4", "--norms", "bn"];
  const { status, stdout, stderr } = bench([...quick, "--time", "0.01"]);
  t.equal(status, 0, stderr);
  t.match(stdout, /gpu webgpu.*: step: lenet/);
});

test.onFinish(() => {
  rmSync(scratch, { recursive: true });
});
