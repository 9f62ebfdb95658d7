// The command, in a process of its own.

import { startScript } from "@fewnorm/command-line/testing";
import { modelNames } from "@fewnorm/presets";
import test from "tape";

const command = (...args: readonly string[]) =>
  startScript(new URL("../src/main.js", import.meta.url), args).ended;

test("without a name: every model, a line each", async (t) => {
  const { code, stdout } = await command();
  t.equal(code, 0);
  for (const name of modelNames) {
    const lines = stdout.split("\n").filter((line) => line.startsWith(`│ ${name} `));
    t.equal(lines.length, 1, name);
  }
  t.match(stdout, /│ resnet18 +│ 3×224×224 │ +1000 │ +23 │ +11,689,512 │ +3,636 │/);
  t.match(stdout, /│ resnet20 +│ +3×32×32 │ +10 │ +23 │ +269,722 │/);
});

test("with a name: its layers", async (t) => {
  const { code, stdout } = await command("resnet18", "--norm", "bs:4", "--shape", "3x64x64");
  t.equal(code, 0);
  t.match(stdout, /^resnet18 with bs:4, 1000 classes, images of 3×64×64\n/);
  t.match(stdout, /│ conv1 \+ bn1 +│ +64×32×32 │ +9,536 │/);
  t.match(stdout, /│ max pool +│ +64×16×16 │ +0 │/);
  t.match(stdout, /│ layer2.0.downsample.0 \+ 1 +│ +128×8×8 │ +8,448 │/);
  t.match(stdout, /│ total +│ +│ +11,689,512 │/);
});

test("models that a norm or an image does not fit are named with the reason, beside the others", async (t) => {
  const { code, stdout } = await command("--norm", "gn:32");
  t.equal(code, 0);
  t.match(stdout, /│ resnet18 +│ 3×224×224 │/);
  t.match(stdout, /│ resnet20 +│ +– │ +– │ +– │ +– │ +– │ +– │/);
  t.match(
    stdout,
    /\nresnet20: groupNorm: layer "bn1" has 16 channels, which do not divide into 32/,
  );
  for (const args of [["resnet18", "lenet"], []]) {
    const none = await command(...args, "--shape", "1x1x1", "--norm", "gn:7");
    t.equal(none.code, 1, "none can be had");
    t.match(none.stderr, /^resnet\d\d: groupNorm: layer "bn1" [^\n]+\n$/);
    t.equal(none.stdout, "");
  }
});

test("mistakes are one line, with exit status 2 for the command line's", async (t) => {
  for (const [args, code, words] of [
    [["resnet21"], 2, /^models: there is no model "resnet21", did you mean .*\n$/],
    [["resnet20", "--norm", "bz:4"], 2, /^models: --norm: there is no norm "bz:4", did you .*\n$/],
    [
      ["--shape", "32x32"],
      2,
      /^models: --shape 32x32 is not a shape CxHxW; give e.g. 3x32x32; .*\n$/,
    ],
    [["--classes", "0"], 2, /^models: --classes 0 is not a whole number >= 1; see pnpm .*\n$/],
    [["--colour"], 2, /^models: there is no option --colour; see pnpm models --help\n$/],
  ] as const) {
    const { stderr, ...ended } = await command(...args);
    t.equal(ended.code, code, args.join(" "));
    t.match(stderr, words);
    t.equal(ended.stdout, "");
  }
  t.match((await command("--help")).stdout, /Usage: pnpm models/);
});
