// The suite `gpu`, in Node and in a browser.

import { existsSync } from "node:fs";
import test from "tape";
import { bench } from "./command.ts";
import { inFolder, measure, quantities } from "./measure.ts";

test("bench gpu", (t) =>
  inFolder(t, async (folder) => {
    const { record, stdout } = await measure(
      t,
      [
        ...["gpu", "--backend", "gpu:webasm", "--shapes", "4x3x8x8", "--norms", "bs:1"],
        ...["--batch", "2", "--time", "0.01"],
      ],
      folder,
    );
    const sections = record.suites[0]?.sections ?? [];
    t.deepEqual(
      sections.map(({ title }) => title),
      [
        "gpu: modes",
        "gpu webasm: norm: layer 4×3×8×8",
        "gpu webasm: norm: block 4×3×8×8",
        "gpu webasm: step: resnet20, batch 2",
        "gpu: all modes",
      ],
    );
    t.deepEqual(
      sections.at(-1)?.rows.map(([mode, norm]) => [mode, norm]),
      [
        ["webasm", "bn"],
        ["webasm", "bs:1"],
      ],
    );
    for (const { settings } of sections.slice(1, -1)) {
      t.equal(settings.emulated, false, "WebAssembly stands for itself");
      t.match(String(settings.executors), /^fused-\w+ on webasm/, "how gpu.js ran it");
    }
    t.match(stdout, /gpu.js ran it as fused-/);
    for (const quantity of ["step ms", "tax"]) {
      t.ok(quantities(record, "bs:1").includes(quantity), quantity);
    }
  }));

const whyNoBrowser = existsSync("/usr/bin/chromium")
  ? process.env.FEWNORM_GPU === "all"
    ? false
    : "takes minutes on an emulated GPU; FEWNORM_GPU=all tests it"
  : "/usr/bin/chromium is missing";

test("bench gpu in a browser", { skip: whyNoBrowser }, (t) =>
  inFolder(t, async (folder) => {
    const { record } = await measure(
      t,
      [
        ...["gpu", "--backend", "gpu:webgl2", "--shapes", "4x2x4x4", "--norms", "bs:2"],
        ...["--model", "lenet", "--batch", "4", "--time", "0.01"],
      ],
      folder,
    );
    const [modes, ...sections] = record.suites[0]?.sections ?? [];
    t.deepEqual(
      modes?.rows.map(([mode]) => mode),
      ["webgl2 in Chromium"],
    );
    t.equal(sections.length, 4, "a layer, a block, a step, and all modes");
    for (const { settings, title } of sections.slice(0, -1)) {
      t.match(title, /^gpu webgl2 in Chromium/);
      t.equal(settings.place, "Chromium");
      t.match(String(settings.executors), /^generic on gpu/, "how gpu.js ran it");
    }
  }),
);

test("bench gpu says why a mode can't be had, and fails if none can", async (t) => {
  const { code, stdout, stderr } = await bench(["gpu", "--backend", "gpu:webgl"], {
    CHROMIUM: "/nowhere/chromium",
  });
  t.equal(code, 1);
  t.match(stdout, /webgl in Chromium.*there is no \/nowhere\/chromium; install Chromium/);
  t.match(stderr, /^gpu: no mode can be measured; webgl in Chromium: there is no/);
});
