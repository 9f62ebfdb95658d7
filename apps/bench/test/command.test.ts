import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inFolder } from "@fewnorm/command-line/testing";
import test from "tape";
import { bench } from "./command.ts";

test("bench --help says everything that there is", async (t) => {
  for (const args of [["--help"], ["-h"], ["--", "--help"]]) {
    const { code, stdout, stderr } = await bench(args);
    t.equal(code, 0);
    t.equal(stderr, "");
    for (const word of [
      "norm",
      "step",
      "accuracy",
      "--time",
      "--norms",
      "--strategy",
      "--batch",
      "--model",
      "--data PATH",
      "--shapes",
      "--peers",
      "--peer FILE",
      "--full",
      "--backend",
      "--threads",
      "--seed",
      "--json",
      "resnet20",
      "vdn:4",
      "wasm",
      "Exit status",
    ]) {
      t.ok(stdout.includes(word), word);
    }
    t.ok(
      stdout.split("\n").every((line) => line.length <= 105),
      "lines fit a terminal",
    );
  }
});

test("bench: what is wrong with the command line is said in one line, with exit status 2", async (t) => {
  const wrong: [string[], RegExp][] = [
    [
      ["nrom"],
      /there is no suite "nrom", did you mean "norm"\? Suites are norm, step, accuracy, profile/,
    ],
    [["--tiem", "3"], /there is no option --tiem, did you mean --time\?/],
    [["--backend", "wsam"], /there is no backend "wsam", did you mean "wasm"\?/],
    [["--model", "resnet21"], /there is no model "resnet21"/],
    [["--norms", "bs:4,sb:4"], /--norms: there is no norm "sb:4", did you mean "bs:4"\?/],
    [["--time", "0"], /--time 0 is not a number of seconds above 0/],
    [["--time"], /--time/],
    [["--batch", "1.5"], /--batch 1\.5 is not a whole number >= 1/],
    [["--norm", "bn", "--norms", "bn"], /--norm and --norms exclude each other/],
    [["--shapes", "128x16x32"], /--shapes 128x16x32 is not a shape NxCxHxW; give e\.g\. 128x16x/],
    [["--json", ""], /--json is empty/],
    [
      ["norm", "--data", "cifar"],
      /--data is for step, accuracy, profile, .*ignored by norm; leave/,
    ],
    [["peers", "--data", "cifar"], /--data is for step, .*ignored by peers; leave it out/],
    [["peers", "--norm", "bn"], /--norm is for norm, step, .*ignored by peers; leave it out/],
    [["--peers", "."], /--peers is for peers, and would be ignored by norm, step, accuracy/],
    [["step", "--shapes", "4x4x8x8"], /--shapes is for norm, peers, gpu, and .*ignored by step/],
    [["gpu", "--threads", "1"], /--threads is for norm, .*ignored by gpu/],
    [["norm", "--full", "--shapes", "4x4x8x8"], /--full and --shapes exclude each other/],
    [["norm", "--batch", "4", "--shapes", "4x4x8x8"], /--batch and --shapes exclude each other/],
    [["gpu", "--backend", "wasm"], /gpu measures modes of gpu\.js, and --backend wasm is none/],
    [["norm", "peers", "--model", "lenet"], /peers build no lenet; --model may be resnet20, res/],
    [["gpu", "step", "--data", "cifar"], /gpu measures with the images that pages have, too/],
    [["peers", "--peers", "no-such-folder"], /--peers: there is no folder .*no-such-folder/],
    [["peers", "--peer", "no-such-file.py"], /--peer: there is no file no-such-file\.py/],
    [["--strategy", "no-such-package"], /--strategy: there is no package no-such-package/],
    [["--strategy", "./no-such-file.js"], /--strategy: there is no .*no-such-file\.js/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await bench(args);
    t.equal(code, 2, args.join(" "));
    t.equal(stdout, "");
    t.match(stderr, message);
    t.match(stderr, /^bench: [^\n]+(; see|\? See) pnpm bench --help\n$/, "one line");
  }
});

test("bench: what cannot be done is said in one line, with exit status 1", async (t) => {
  const wrong: [string[], RegExp][] = [
    [["norm", "--json", "/no-such-folder/samples.json"], /cannot write --json \/no-such-folder/],
    [["step", "--data", "no-such-folder"], /no-such-folder does not exist; check the path/],
    [["norm", "--json", "/dev/null"], /cannot write --json \/dev\/null \(it is no regular file\)/],
    [["norm", "--json", "."], /cannot write --json \. \(it is a folder\)/],
    [["norm", "--shapes", "2x1x1x1", "--norms", "bs:4"], /bs:4: .*2 images of 1×1/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await bench(args);
    t.equal(code, 1, args.join(" "));
    t.match(stderr, message);
    t.match(stderr, /^[^\n]+\n$/, "one line");
  }
});

test("bench: what was measured before a failure is kept, and a wrong --data comes first", async (t) => {
  await inFolder(async (folder) => {
    const json = join(folder, "a.json");
    const quick = ["norm", "--threads", "1", "--time", "1", "--json", json];
    const failing = await bench([...quick, "--shapes", "4x4x32x32,4x4x8x8", "--norms", "fs:20x20"]);
    t.equal(failing.code, 1);
    const { interrupted, suites } = JSON.parse(await readFile(json, "utf8"));
    t.equal(interrupted, true);
    t.equal(suites[0].sections.length, 1, "the first layer");
    const missing = await bench([...quick, "step", "--data", join(folder, "none")]);
    t.equal(missing.code, 1);
    t.match(missing.stderr, /none does not exist/);
    t.equal(missing.stdout, "", "nothing was measured");
  });
});
