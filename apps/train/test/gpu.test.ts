// Trainings on gpu.js, and checkpoints that go from one backend to another.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { inFolder } from "@fewnorm/command-line/testing";
import { parseBackend } from "@fewnorm/presets";
import { readCheckpoint } from "@fewnorm/train/node";
import test from "tape";
import { command, writeMnist } from "./command.ts";

/** A Vulkan driver that runs on the processor, where Debian's chromium-common puts it. */
const driver = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (process.env.VK_ICD_FILENAMES === undefined && existsSync(driver)) {
  process.env.VK_ICD_FILENAMES = driver;
}

const whyNoWebGpu = await parseBackend("gpu:webgpu")().then(
  (backend) => backend.dispose().then(() => undefined),
  (error: Error) => error.message,
);

const backends = [
  { backend: "gpu:webasm", skip: false },
  { backend: "gpu:webgpu", skip: whyNoWebGpu ?? false },
];

for (const { backend, skip } of backends) {
  test(`${backend} trains on the embedded data and ends by itself`, { skip }, async (t) => {
    const images = ["--train-images", "4", "--test-images", "4", "--batch", "4"];
    const { code, stdout, stderr } = await command([
      ...["--backend", backend, "--epochs", "1", "--norm", "bs:2", ...images],
    ]);
    t.equal(code, 0, stderr);
    t.match(stdout, new RegExp(`gpu \\(${backend.slice("gpu:".length)}, `), "names the mode");
  });
}

/** Two epochs of 2 steps, the first on one backend and the second on another. */
async function trainOn(folder: string, data: string, [first, second]: readonly [string, string]) {
  const out = join(folder, `${first} ${second}`.replaceAll(":", "-"));
  const options = ["--norm", "bn", "--batch", "16", "--schedule", "constant", "--lr", "0.001"];
  const begun = await command([
    ...["--data", data, "--out", out, "--epochs", "1", "--warmup", "0", ...options],
    ...["--backend", first],
  ]);
  const ended = await command(["--out", out, "--resume", "--epochs", "2", "--backend", second]);
  const { checkpoint } = await readCheckpoint(out);
  return { ...checkpoint, failures: [begun, ended].filter(({ code }) => code !== 0) };
}

test("a training goes on from another backend's checkpoint", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const expected = await trainOn(folder, data, ["wasm", "wasm"]);
    for (const order of [
      ["wasm", "gpu:webasm"],
      ["gpu:webasm", "wasm"],
    ] as const) {
      const { step, tensors, failures } = await trainOn(folder, data, order);
      t.equal(failures.map(({ stderr }) => stderr).join(), "", order.join(", then "));
      t.equal(step, expected.step, "as many steps");
      let [difference, size] = [0, 0];
      for (const [name, { values }] of expected.tensors) {
        const other = tensors.get(name)?.values ?? [];
        for (const [i, value] of values.entries()) {
          difference += (value - (other[i] ?? Number.NaN)) ** 2;
          size += value ** 2;
        }
      }
      const apart = Math.sqrt(difference / size);
      // Both compute in float32, and roundings of 1e-6 a step grow in 4 small steps.
      t.ok(apart < 1e-3, `states differ by ${apart.toExponential(1)} of their size`);
    }
  });
});
