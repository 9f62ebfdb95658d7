// The suite peers, with small peers made for the test and none of the real ones.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inFolder } from "@fewnorm/command-line/testing";
import test, { type Test } from "tape";
import { bench } from "./command.ts";
import { parseRecord } from "./record-schema.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../test/fixtures/peers/${name}.mjs`, import.meta.url));

/** Runs the suite where there is neither Python nor a package, and returns what it wrote. */
const measure = (t: Test, peers: readonly string[], options: readonly string[] = []) =>
  inFolder(async (folder) => {
    const file = join(folder, "samples.json");
    const outcome = await bench(
      [
        ...["peers", "--peers", folder, ...peers.flatMap((peer) => ["--peer", fixture(peer)])],
        ...["--batch", "2", "--shapes", "2x4x5x3", "--threads", "1"],
        ...["--time", "0.01", "--json", file, ...options],
      ],
      { TMPDIR: folder, PYTHON: join(folder, "no-python") },
    );
    t.deepEqual(await readdir(folder), ["samples.json"], "no job is left behind");
    return { ...outcome, record: parseRecord(await readFile(file, "utf8")) };
  });

test("bench peers: who computes the same is timed, who does not or is missing is named", async (t) => {
  const { code, stderr, record } = await measure(t, [
    "honest",
    "wrong",
    "failing",
    "chatty",
    "empty",
  ]);
  t.equal(code, 0, stderr);
  const sections = record.suites[0]?.sections ?? [];
  t.deepEqual(
    sections.map(({ title }) => title),
    [
      ...["bn, training", "none, training", "bn, inference"].map(
        (what) => `peers: resnet20 with ${what}, batch 2`,
      ),
      "peers: bn layer 2×4×5×3",
    ],
  );
  for (const { title, rows, series, results, caption } of sections) {
    t.deepEqual(
      series.map((one) => [one.case, one.samples.length >= 3]),
      [
        ["fewnorm", true],
        ["honest 1.0", true],
      ],
      `${title}: timed, three rounds at least`,
    );
    const quantitiesOf = (name: string) =>
      results.filter((one) => one.case === name).map(({ quantity }) => quantity);
    const measured = ["step ms", "images/s", "fewnorm / it", "first ms"];
    t.ok(measured.every((quantity) => quantitiesOf("honest 1.0").includes(quantity)));
    t.notOk(quantitiesOf("fewnorm").includes("fewnorm / it"), "no ratio to itself");
    const verdicts = rows.filter(([name]) => name !== "fewnorm" && name !== "honest 1.0");
    t.deepEqual(
      verdicts.map(([name, verdict]) => `${name} ${verdict}`),
      [
        ...["PyTorch", "onnxruntime-node", "TensorFlow.js", "jax-js"].map((n) => `${n} missing`),
        ...(title.includes("training") ? ["wrong 1.0 disagrees"] : []),
        ...(title.includes("inference") ? ["failing 1.0 fails"] : []),
        "chatty fails",
        "empty fails",
      ],
    );
    const said = caption.join("\n");
    t.match(said, /PyTorch is missing: there is no \S+no-python/);
    t.match(
      said,
      /onnxruntime-node is missing: npm install onnxruntime-node,\s+in a\s+folder\s+that\s+--peers/,
    );
    t.match(said, /TensorFlow.js is missing: npm install @tensorflow\/tfjs @tensorflow\/tfjs-back/);
    t.match(said, /jax-js is missing: npm install @jax-js\/jax/);
    t.match(said, /chatty fails and is left out: it wrote "Hello!", which is no line with an/);
    t.match(said, /empty fails and is left out: it wrote "null", which is no line with an object/);
    if (title.includes("training")) {
      t.match(
        said,
        /wrong 1.0 computes .* timed: zeros: its results at first are 1.0 of the largest/,
      );
    } else if (title.includes("inference"))
      t.match(said, /failing 1.0 fails and is left out: deadly: .*RangeError: too much/);
  }
});

test("bench peers: every backend is given the same", async (t) => {
  const options = ["--backend", "reference", "--patience", "60"];
  const { code, stderr, record } = await measure(t, ["on-wasm"], options);
  t.equal(code, 0, stderr);
  for (const { title, series } of record.suites[0]?.sections ?? []) {
    t.deepEqual(
      series.map((one) => one.case),
      ["fewnorm", "fewnorm on wasm"],
      `${title}: agrees`,
    );
  }
});

test("bench peers: who never answers is left out, and the others go on", async (t) => {
  // Long enough for fewnorm and the honest one, whatever else the machine does.
  const silent = ["silent", "tiring", "honest"];
  const { code, stderr, record } = await measure(t, silent, ["--patience", "15"]);
  t.equal(code, 0, stderr);
  const section = record.suites[0]?.sections.find(({ title }) => title.includes("layer"));
  t.deepEqual(
    section?.series.map((one) => [one.case, one.samples.length >= 3]),
    [
      ["fewnorm", true],
      ["honest 1.0", true],
    ],
  );
  const said = section?.caption.join("\n") ?? "";
  t.match(said, /silent 1\.0 fails and is left out: one: it has not answered for 15 s; --patience/);
  t.match(said, /tiring 1\.0 fails .*: one: while it was timed, it has not answered for 15 s/);
  t.match(section?.rows.map(String).join("\n") ?? "", /tiring 1\.0,fails/);
});

test("bench peers: Ctrl-C does not wait for a peer", async (t) => {
  const { code, record } = await measure(t, ["stalling"]);
  t.equal(code, 130);
  t.deepEqual(record.suites[0]?.sections, [], "nothing was measured");
});
