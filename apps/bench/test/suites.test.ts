// Each suite with the smallest settings: that it measures and writes what it should, never how fast.

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "tape";
import { bench, start } from "./command.ts";
import { inFolder, measure, quantities } from "./measure.ts";
import { parseRecord } from "./record-schema.ts";

test("bench norm", (t) =>
  inFolder(t, async (folder) => {
    const { record, stdout } = await measure(
      t,
      ["norm", "--shapes", "4x3x8x8,3x2x5x7", "--norms", "bs:2,vdn:2,fs:1/4", "--time", "0.01"],
      folder,
    );
    t.deepEqual(
      record.suites[0]?.sections.map(({ title }) => title),
      ["layer 4×3×8×8", "layer 3×2×5×7", "block 4×3×8×8", "block 3×2×5×7"].map((s) => `norm: ${s}`),
    );
    for (const { title, series, settings } of record.suites[0]?.sections ?? []) {
      t.ok(stdout.includes(title), `${title} is printed`);
      const names = ["bn", "bs:2", "vdn:2", "fs:1/4"];
      const expected = settings.piece === "block" ? ["none", ...names] : names;
      t.deepEqual(
        series.map((one) => `${one.case}, ${one.measure}`),
        ["forward", "forward+backward"].flatMap((pass) => expected.map((n) => `${n}, ${pass}`)),
      );
      t.ok(
        series.every(({ samples }) => samples.length >= 3),
        "three rounds at least",
      );
    }
    t.ok(quantities(record, "vdn:2").includes("forward+backward / none"));
    t.equal(record.interrupted, false);
    t.match(record.backend?.description ?? "", /^wasm/, "wasm is the default");
  }));

test("bench step", (t) =>
  inFolder(t, async (folder) => {
    const { record, stdout } = await measure(
      t,
      ["step", "--batch", "4", "--norms", "bs:2", "--time", "0.01", "--threads", "1"],
      folder,
    );
    const [section] = record.suites[0]?.sections ?? [];
    t.deepEqual(
      section?.rows.map(([name]) => name),
      ["none", "bn", "bs:2"],
    );
    t.match(stdout, /images\/s/);
    t.match(record.backend?.description ?? "", /1 thread\b/);
    for (const quantity of ["step ms", "images/s", "tax", "saved against bn", "workspace bytes"]) {
      t.ok(quantities(record, "bs:2").includes(quantity), quantity);
    }
    t.notOk(quantities(record, "none").includes("tax"), "no number for what is not compared");
    const speeds = section?.results.filter(({ quantity }) => quantity === "images/s") ?? [];
    t.equal(speeds.length, 3);
    t.ok(
      speeds.every(({ value, low }) => value > 0 && low === undefined),
      "three rounds are too few for an interval",
    );
  }));

test("bench with few images: default norms that the batch cannot have are left out, and named", (t) =>
  inFolder(t, async (folder) => {
    const { record } = await measure(
      t,
      ["norm", "step", "accuracy", "profile", "--batch", "2", "--time", "0.01"],
      folder,
    );
    const rest = ["bn", "fs:1/32", "vdn:4"];
    const expected: Record<string, readonly string[]> = {
      norm: rest,
      step: ["none", ...rest],
      accuracy: rest,
      profile: [],
    };
    for (const { suite, sections } of record.suites) {
      const [section] = sections;
      const said = section?.caption.join("\n") ?? "";
      const wanted = suite === "profile" ? "bs:4" : "bs:16";
      t.match(
        said,
        new RegExp(`^${wanted} is left out: layer .* the batch is 2 images`, "m"),
        suite,
      );
      if (suite === "profile") t.match(section?.title ?? "", /with bn/);
      else {
        const names = [...new Set(section?.rows.map(([name]) => name))];
        t.deepEqual(names, expected[suite], suite);
      }
    }
    for (const args of [
      ["--norms", "bs:16"],
      ["--norms", "bn,bs:4"],
    ]) {
      const { code, stderr } = await bench(["step", "--batch", "2", ...args]);
      t.equal(code, 1, `${args.join(" ")} was asked for`);
      t.match(stderr, /images are to be sampled, and the batch is 2 images/);
    }
  }));

test("bench step --data", (t) =>
  inFolder(t, async (folder) => {
    const data = join(folder, "cifar");
    await mkdir(data);
    // Two records in each file: a label and 3×32×32 pixels.
    const records = Uint8Array.from({ length: 2 * 3073 }, (_, i) => (i % 3073 === 0 ? 7 : i % 251));
    for (const part of [..."12345"].map((i) => `data_batch_${i}`).concat("test_batch")) {
      await writeFile(join(data, `${part}.bin`), records);
    }
    const args = ["step", "--data", data, "--batch", "4", "--norms", "bs:2", "--time", "0.01"];
    const { record, stdout } = await measure(t, [...args, "--model", "lenet"], folder);
    await rm(data, { recursive: true });
    t.equal(record.suites[0]?.sections[0]?.settings.image, "3×32×32");
    t.match(stdout, /images of 3×32×32/);
  }));

test("bench accuracy", (t) =>
  inFolder(t, async (folder) => {
    const { record } = await measure(
      t,
      ["accuracy", "--batch", "16", "--norms", "bn,bs:4,ln", "--time", "0.01"],
      folder,
    );
    const [section] = record.suites[0]?.sections ?? [];
    t.equal(section?.settings.trainImages, 16, "one step, where nothing fits");
    t.deepEqual(
      section?.rows.map(([name]) => name),
      ["bn", "bs:4", "ln"],
    );
    const [, running, ofBatches] = section?.rows.at(-1) ?? [];
    t.equal(ofBatches, running, "layer normalization knows no batch");
    const tested = section?.results.filter(({ quantity }) => quantity.startsWith("test")) ?? [];
    t.equal(tested.length, 6, "by running statistics, and by those of each batch");
    t.ok(tested.every(({ value, low = 1, high = 0 }) => low <= value && value <= high));
  }));

test("bench accuracy: a strategy that fails is no norm that diverges", async (t) => {
  const strategy = fileURLToPath(
    new URL("../../test/fixtures/failing-strategy.mjs", import.meta.url),
  );
  const given = ["accuracy", "--batch", "16", "--norms", "bn", "--strategy", strategy];
  const { code, stderr } = await bench([...given, "--time", "2"]);
  t.equal(code, 1);
  t.match(stderr, /my mistake/);
});

test("bench profile", (t) =>
  inFolder(t, async (folder) => {
    const { record, stdout } = await measure(
      t,
      ["profile", "--batch", "4", "--norms", "bs:2", "--time", "0.01"],
      folder,
    );
    const sections = record.suites[0]?.sections ?? [];
    t.deepEqual(
      sections.map(({ title }) => title.replace(/^.*, /, "")),
      ["by primitive", "by layer"],
    );
    t.match(stdout, /conv2dWeightGrad/);
    t.match(stdout, /layer3\.2\.bn2/);
    for (const { rows } of sections) {
      const shares = rows.map(([, , share]) => Number.parseFloat(share ?? ""));
      const total = shares.reduce((a, b) => a + b);
      // Each is rounded to 0.1.
      t.ok(Math.abs(total - 100) <= 0.05 * shares.length, `shares make ${total.toFixed(1)}%`);
    }
  }));

test("bench --strategy measures someone else's", (t) =>
  inFolder(t, async (folder) => {
    const fixture = (name: string) =>
      fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url));
    const { record } = await measure(
      t,
      [
        "norm",
        ...["--strategy", fixture("exported-strategy.mjs")],
        ...["--strategy", fixture("default-factory.mjs")],
        ...["--strategy", fixture("strategy-package")],
        ...["--strategy", fixture("import-only-package")],
        ...["--shapes", "4x2x4x4", "--norms", "bs:2", "--time", "0.01"],
      ],
      folder,
    );
    t.deepEqual(
      record.suites[0]?.sections[0]?.rows.slice(0, 6).map(([name]) => name),
      ["bn", "bs:2", "first", "from-default", "first (2)", "first (3)"],
      "by their names, which are told apart",
    );
    const { code, stderr } = await bench(["norm", "--strategy", fixture("no-strategy.mjs")]);
    t.equal(code, 2);
    t.match(
      stderr,
      /exports no strategy \(mine\(\) throws: images is missing\); export one, as in/,
    );
    const half = await bench(["norm", "--strategy", fixture("half-strategy.mjs")]);
    t.match(
      half.stderr,
      /exports no strategy \(strategy: half: origin is undefined; a strategy has/,
    );
    const uninstalled = await bench(["norm", "--strategy", fixture("uninstalled-strategy.mjs")]);
    t.match(uninstalled.stderr, /Cannot find package 'a-package.*npm install them there/);
  }));

test("bench: Ctrl-C shows and writes what there is", (t) =>
  inFolder(t, async (folder) => {
    const file = join(folder, "samples.json");
    // Twenty epochs: it is still at it when the signal comes.
    const { child, says, ended } = start([
      ...["norm", "accuracy", "--shapes", "4x2x8x8", "--norms", "bs:2"],
      ...["--time", "3600", "--json", file],
    ]);
    await says("norm: block");
    child.kill("SIGINT");
    const { code, stdout } = await ended;
    t.equal(code, 130);
    t.match(stdout, /interrupted: the tables show what was measured until then/);
    const record = parseRecord(await readFile(file, "utf8"));
    t.equal(record.interrupted, true);
    t.equal(record.suites[0]?.sections.length, 2, "what was measured before is there");
    t.ok(
      record.suites.flatMap(({ sections }) => sections).every(({ rows }) => rows.length > 0),
      "and nothing that was not",
    );
  }));
