// Whatever is wrong with what the command is given: one clear line, the right exit status, no harm.
import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inFolder } from "@fewnorm/command-line/testing";
import { parseModel, parseNorm } from "@fewnorm/presets";
import { encodeSafetensors } from "@fewnorm/safetensors";
import { modelStates } from "@fewnorm/train";
import test, { type Test } from "tape";
import { command, writeCifar, writeMnist } from "./command.ts";

/** Options that suit the small data sets. */
const small = ["--batch", "4", "--epochs", "1", "--threads", "1", "--quiet"];

/** Runs the command and expects exactly one line on stderr, nothing on stdout, and the exit status. */
async function refuses(
  t: Test,
  args: readonly string[],
  expected: RegExp,
  exitCode = 1,
): Promise<void> {
  const { code, stdout, stderr } = await command(args);
  const name = expected.source.slice(0, 60);
  t.match(stderr, expected, name);
  t.equal(stderr.trimEnd().split("\n").length, 1, `${name}: one line`);
  t.notOk(/^\s+at /m.test(stderr), `${name}: no stack`);
  t.equal(code, exitCode, `${name}: exit status`);
  t.equal(stdout, "", `${name}: nothing was begun`);
}

test("missing, truncated and mislabelled data files", async (t) => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    const run = (data: string, expected: RegExp) =>
      refuses(t, ["--data", data, "--out", out, ...small], expected);
    await run(join(folder, "nowhere"), /nowhere does not exist/);
    await mkdir(join(folder, "empty"));
    await run(join(folder, "empty"), /empty holds no data set; looked for/);

    const cifar = join(folder, "cifar");
    await mkdir(cifar);
    const third = join(cifar, "data_batch_3.bin");
    await writeCifar(cifar);
    await rm(third);
    await run(cifar, /data_batch_3\.bin is missing/);
    await writeCifar(cifar);
    await truncate(third, 26 * 3073 - 1);
    await run(cifar, /data_batch_3\.bin .*cut off/);
    await writeCifar(cifar);
    const bytes = await readFile(third);
    bytes[5 * 3073] = 10;
    await writeFile(third, bytes);
    await run(cifar, /data_batch_3\.bin .* has label 10 at record 5/);

    const mnist = join(folder, "mnist");
    await mkdir(mnist);
    await writeMnist(mnist);
    await truncate(join(mnist, "train-images-idx3-ubyte"), 99);
    await run(mnist, /train-images-idx3-ubyte has 99 bytes.*cut off/);
    t.notOk((await readdir(folder)).includes("out"), "no folder was made for any of them");
  });
});

test("names that there are not", async (t) => {
  await refuses(
    t,
    ["--norm", "bz:4"],
    /^train: --norm: there is no norm "bz:4", did you mean "bs:4"\?/,
    2,
  );
  await refuses(t, ["--norm", "bs:4@exat"], /no gradient "exat", did you mean "exact"/, 2);
  await refuses(
    t,
    ["--model", "resnet21"],
    /--model: .*no model "resnet21".*resnet20, resnet32/,
    2,
  );
  const optimizers = /no optimizer "adam", did you mean "adamw"\? .*sgd, nesterov, adamw, lars/;
  await refuses(t, ["--optimizer", "adam"], optimizers, 2);
  await refuses(t, ["--backend", "wasn"], /no backend "wasn", did you mean "wasm"/, 2);
});

test("recalibration that is not possible", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const run = (args: readonly string[], expected: RegExp) =>
      refuses(t, ["--data", data, ...small, ...args], expected);
    await run(["--norm", "gn:8", "--recalibrate", "2"], /gn:8 has no running statistics/);
    await run(["--norm", "ln", "--batch-statistics"], /ln uses no batch statistics/);
    await run(["--norm", "bn", "--recalibrate", "9"], /takes 36 images.*there are 32.*at most 8/);
    await run(
      ["--norm", "bn", "--test-images", "3", "--batch-statistics"],
      /4 images.*there are 3/,
    );
  });
});

test("norms that do not fit the batch or the maps", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeCifar(folder);
    const with128 = ["--data", data, "--batch", "128", "--threads", "1", "--epochs", "1"];
    await refuses(t, [...with128, "--norm", "bs:200"], /bn1.*bs:200.*batch is 128.*bs:128 at most/);
    await refuses(t, [...with128, "--norm", "fs:40x40"], /bn1.*fs:40x40.*fs:32x32 at most/);
  });
  await inFolder(async (folder) => {
    // Images of 4×4 become maps of 1×1 in the last stage.
    const data = await writeMnist(folder, { side: 4 });
    const args = ["--data", data, "--batch", "1", "--norm", "bn", "--epochs", "1"];
    await refuses(t, args, /layer3\.0\.bn1.*1 value a channel.*use a larger batch/);
  });
});

test("an output that cannot be written to", async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, "file");
    await writeFile(file, "mine");
    // Nobody can make a folder in /proc, the administrator included.
    const proc = process.platform === "linux" ? ["/proc/fewnorm/out"] : [];
    for (const out of [file, join(file, "below"), join(file, "far", "below"), ...proc]) {
      await refuses(t, ["--out", out, ...small], /^train: cannot write to --out .*(file|proc)/);
    }
    const jsonl = join(file, "x");
    await refuses(t, ["--jsonl", jsonl, ...small], /cannot write to the folder of --jsonl/);
    // A folder is in the place of the file.
    await refuses(t, ["--jsonl", folder, ...small], /--jsonl \S+ is a folder; give a file/);
    t.deepEqual(await readdir(folder), ["file"], "nothing was left behind");
    t.equal(await readFile(file, "utf8"), "mine", "the file in the way is as it was");
  });
});

test("checkpoints that are not this training's", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const out = join(folder, "out");
    const checkpoint = join(out, "checkpoint.safetensors");
    const run = ["--data", data, "--out", out, ...small];
    await refuses(t, [...run, "--resume"], /^readCheckpoint: there is no checkpoint in /);
    t.equal((await command([...run, "--norm", "bs:2"])).code, 0, "a training to resume");
    const bytes = await readFile(checkpoint);
    const before = (await readdir(out)).sort();

    await refuses(t, run, /holds a checkpoint already; add --resume/);
    for (const [args, expected] of [
      [["--model", "resnet32"], /model is resnet20 there, resnet32 here/],
      [["--norm", "bn"], /norm is bs:2 there, bn here/],
      [["--batch", "8"], /batch is 4 there, 8 here/],
      [["--train-images", "16"], /dataset is .* there/],
    ] as const) {
      // The last of an option's values would win: leave out what the case is about.
      const rest = run.filter((one, i) => one !== args[0] && run[i - 1] !== args[0]);
      await refuses(t, [...rest, "--resume", ...args], expected);
    }
    t.deepEqual(await readFile(checkpoint), bytes, "the checkpoint is as it was");
    t.deepEqual((await readdir(out)).sort(), before, "and so is its folder");

    await writeFile(checkpoint, bytes.subarray(0, 1000));
    await refuses(t, [...run, "--resume"], /has 1000 bytes, but says .*cut off/);
    await writeFile(checkpoint, "something else altogether, and long enough to be a header of one");
    await refuses(t, [...run, "--resume"], /no safetensors file/);
  });
});

test("weights that are missing, damaged or of another model", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const file = join(folder, "weights.safetensors");
    const run = ["--data", data, "--init", file, ...small];
    await refuses(t, run, /^openSafetensors: cannot read .*weights\.safetensors \(ENOENT/);
    await writeFile(file, "");
    await refuses(t, run, /^openSafetensors: .*has 0 bytes, too few/);
    const values = Float32Array.of(1);
    await writeFile(file, encodeSafetensors(new Map([["fc.bias", { shape: [1], values }]])));
    await refuses(
      t,
      run,
      /does not fit resnet20 \(missing: conv1\.weight, .* more; fc\.bias is \[1\] there, \[10\] here/,
    );
    await refuses(t, run, /\); give the --model and --norm that it is of, or another --init$/m);
    const norm = parseNorm("bn");
    const model = parseModel("resnet20")({ norm, inputShape: [1, 8, 8], classes: 10 });
    const saved = join(folder, "saved.safetensors");
    t.equal((await command(["--data", data, "--save", saved, ...small])).code, 0);
    await refuses(
      t,
      ["--data", data, "--init", saved, "--model", "resnet32", ...small],
      /does not fit resnet32 \(missing: layer1\.3\.conv1\.weight, .*; it says that it is of resnet20 with bs:1\/4 for 10 classes; give the --model/,
    );
    const spoilt = modelStates(model).map(({ name, shape }) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return [name, { shape, values: new Float32Array(size).fill(Number.NaN) }] as const;
    });
    await writeFile(file, encodeSafetensors(new Map(spoilt)));
    const notFinite = /^train: conv1\.weight is not finite in the values to begin with; begin with/;
    await refuses(t, [...run, "--norm", "bn"], notFinite);
    const save = join(file, "below.safetensors");
    await refuses(t, ["--save", save, ...small], /cannot write to the folder of --save, .*weights/);
    await refuses(t, [...run, "--out", folder, "--resume"], /--init begins anew; give one/, 2);
  });
});

test("numbers that do not fit the data", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const run = (...args: string[]) => ["--data", data, "--threads", "1", "--quiet", ...args];
    await refuses(t, run("--batch", "33"), /the batch is 33, but mnist has 32 training images/);
    await refuses(t, run("--train-images", "33"), /--train-images is 33, but there are 32/);
    await writeMnist(folder, { side: 3 });
    const augmented = /--augment.* pads images by 4, and those of mnist are 3×3; add --no-augment/;
    await refuses(t, run("--batch", "4"), augmented);
  });
});

test("mistakes in the command line have exit status 2", async (t) => {
  for (const [args, expected] of [
    [
      ["--nrom", "bn"],
      /^train: there is no option --nrom, did you mean --norm\? See pnpm train --help/,
    ],
    [["--epochs", "ten"], /--epochs ten is not a whole number >= 1/],
    [["--epochs", "0"], /--epochs 0 is not a whole number >= 1/],
    [["--lr", "-0.1"], /--lr/],
    [["--lr=-0.1"], /--lr -0.1 is not a number >= 0/],
    [["--lr", "fast"], /--lr fast is not a number/],
    [["--clip", "0"], /--clip 0 is not a number above 0/],
    [["--ema", "1"], /--ema 1 is not a number from 0 to below 1/],
    [["--label-smoothing", "1"], /--label-smoothing 1 is not a number from 0 to below 1/],
    [["--mixup", "0"], /--mixup 0 is not a number above 0/],
    [["--momentum", "1"], /--momentum 1 is not a number from 0 to below 1/],
    [["--norm", "bn", "--norm", "bs:4"], /--norm is given 2 times/],
    [["--augment", "--no-augment"], /exclude each other/],
    [["--resume"], /--resume goes on from the checkpoint in --out/],
    [["--schedule", "cosinus"], /did you mean "cosine"\? Schedules are cosine, step, constant/],
    [["--epochs", "2", "--warmup", "2"], /--warmup 2 is not shorter than the training of 2/],
    [["--checkpoint-every", "5"], /--checkpoint-every needs a folder for checkpoints; add --out/],
    [
      ["--schedule", "step", "--epochs", "4", "--milestones", "2,4"],
      /--milestones 4 is not before the end of the training, 4 epochs; give earlier ones/,
    ],
    [["--milestones", "3"], /--milestones are those of --schedule step, and it is cosine; leave/],
    [["--data"], /--data/],
    [["somewhere"], /somewhere/],
  ] as const) {
    await refuses(t, args, expected, 2);
  }
});

test("FEWNORM_DEBUG shows where an error came from", async (t) => {
  const { code, stderr } = await command(["--norm", "bz:4"], { FEWNORM_DEBUG: "1" });
  t.equal(code, 2);
  t.match(stderr, /\n\s+at .*norms/);
});

test("files that something else is in the way of, and batches that the images cannot fill", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const out = join(folder, "out");
    const run = (more: readonly string[], expected: RegExp) =>
      refuses(t, ["--data", data, "--out", out, ...small, ...more], expected);
    await run(["--save", folder], /--save \S+ is a folder; give a file/);
    await run(["--save", "/dev/null"], /--save \/dev\/null is no regular file/);
    // A name that is allowed, but not with what is added to it until the file is whole.
    for (const length of [250, 300]) {
      const long = join(folder, "x".repeat(length));
      await run(["--save", long], /--save \S+ has a name that is too long; give a shorter one/);
    }
    const link = join(folder, "link");
    await symlink(out, link);
    for (const option of ["--save", "--jsonl"]) {
      for (const name of ["checkpoint.safetensors", "summary.json", "training.lock"]) {
        await run([option, join(out, name)], /is a file that --out has for itself; give another/);
        await run([option, join(link, name)], /is a file that --out has for itself; give another/);
      }
    }
    const both = join(folder, "both");
    await run(["--init", both, "--jsonl", both], /--init and --jsonl are both/);
    await run(["--save", both, "--jsonl", both], /--save and --jsonl are both/);
    const many = ["--batch", "1000000000", "--data", data, "--out", out, "--quiet"];
    await refuses(t, many, /the batch is 1000000000, but mnist has 32 training images/);
    t.notOk((await readdir(folder)).includes("out"), "no folder was made for any of them");
  });
});
