// The command's ordinary days: help, a training and what it leaves behind.
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inFolder } from "@fewnorm/command-line/testing";
import { openSafetensorsFile } from "@fewnorm/safetensors/node";
import { checkpointFile, readCheckpoint } from "@fewnorm/train/node";
import test from "tape";
import { command, writeMnist } from "./command.ts";

test("--help lists options, norms, models, examples and exit statuses", async (t) => {
  const { code, stdout, stderr } = await command(["--help"]);
  t.equal(code, 0);
  t.equal(stderr, "");
  for (const word of [
    "--data",
    "--no-augment",
    "resnet20, resnet32, resnet44, resnet56, resnet110",
    "bs:4, bs:1/32",
    "vdn:2+bs:2",
    "@sampled-all",
    "pnpm train --out",
    "130",
  ]) {
    t.ok(stdout.includes(word), word);
  }
  t.ok(
    stdout.split("\n").every((line) => line.length <= 100),
    "no line is longer than 100",
  );
});

test("a training ends with a summary, a checkpoint and its measurements", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [out, jsonl] = [join(folder, "out"), join(folder, "steps.jsonl")];
    const args = ["--data", data, "--norm", "bs:2", "--batch", "8", "--epochs", "2"];
    const { code, stdout, stderr } = await command([...args, "--out", out, "--jsonl", jsonl]);
    t.equal(code, 0, stderr);
    t.equal(stderr, "");
    t.match(stdout, /^resnet20 with bs:2 on mnist: 32 \+ 8 images of 1×8×8\nwasm \(/);
    t.match(stdout, /epoch 2\/2: training loss [\d.]+, accuracy [\d.]+%; \d+ images\/s, 0 s left/);
    t.match(stdout, /epoch 2\/2: test accuracy [\d.]+%, loss/);
    t.match(stdout, /\ntest accuracy: +[\d.]+% of 8 images/);
    t.match(stdout, /\ntraining loss: +[\d.]+ in the last epoch\nspeed: +[\d.]+ images\/s/);

    const summary = JSON.parse(await readFile(join(out, "summary.json"), "utf8"));
    t.equal(summary.steps, 8);
    t.equal(summary.epochs, 2);
    t.equal(summary.settings.norm, "bs:2");
    t.equal(summary.settings.seed, 1);
    t.equal(summary.testImages, 8);
    t.ok(summary.imagesPerSecond > 0 && summary.trainingLoss > 0);

    const lines = (await readFile(jsonl, "utf8")).trimEnd().split("\n");
    const events = lines.map((line) => JSON.parse(line));
    t.equal(events.filter(({ type }) => type === "step").length, 8);
    t.deepEqual([events[0].type, events.at(-1).type], ["start", "done"]);
    t.equal(events.at(-1).trainingLoss, summary.trainingLoss);

    const { checkpoint, where } = await readCheckpoint(out);
    t.equal(where, summary.checkpoint);
    t.equal(checkpoint.step, 8);
    t.deepEqual((await readdir(out)).sort(), [
      "checkpoint.previous.safetensors",
      "checkpoint.safetensors",
      "summary.json",
    ]);
  });
});

test("a summary that cannot be written is shown, and a line that was cut off stays apart", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [out, jsonl] = [join(folder, "out"), join(folder, "steps.jsonl")];
    await mkdir(join(out, "summary.json"), { recursive: true });
    await writeFile(jsonl, '{"type":"step","st');
    const args = ["--data", data, "--model", "resnet20", "--batch", "8", "--epochs", "1"];
    const run = ["--threads", "1", "--out", out, "--jsonl", jsonl, "--quiet"];
    const { code, stdout, stderr } = await command([...args, ...run]);
    t.equal(code, 1);
    t.match(stdout, /^test accuracy: /m);
    const cannot =
      /^train: cannot write \S+summary\.json \(.+\); .*--out \S+ --resume tries again\n$/;
    t.match(stderr, cannot);
    const [cut, ...lines] = (await readFile(jsonl, "utf8")).trimEnd().split("\n");
    t.equal(cut, '{"type":"step","st');
    t.equal(lines.map((line) => JSON.parse(line))[0].type, "start");

    await rm(join(out, "summary.json"), { recursive: true });
    const again = await command(["--out", out, "--resume", "--quiet"]);
    t.equal(again.code, 0, again.stderr);
    t.match(again.stdout, /^speed: +not measured, /m, "no step was left");
    t.equal(JSON.parse(await readFile(join(out, "summary.json"), "utf8")).steps, 4);
    t.notOk((await readFile(jsonl, "utf8")).includes("\n\n"), "no line is empty");
  });
});

const full = { skip: process.platform === "linux" ? false : "only Linux has /dev/full" };

test("measurements that cannot be written cost the training nothing", full, async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [out, jsonl] = [join(folder, "out"), join(folder, "steps.jsonl")];
    // A disk that is full.
    await symlink("/dev/full", jsonl);
    const args = ["--data", data, "--batch", "8", "--epochs", "1", "--quiet"];
    const { code, stdout, stderr } = await command([...args, "--out", out, "--jsonl", jsonl]);
    t.equal(code, 1, "not all that was asked for is there");
    t.match(stderr, /^train: cannot write to --jsonl \S+ \(ENOSPC.*\); the training goes on.*\n$/);
    t.match(stdout, /^test accuracy: /m);
    t.equal((await readCheckpoint(out)).checkpoint.step, 4);
    t.ok((await readdir(out)).includes("summary.json"));
  });
});

test("what --save wrote, and a checkpoint, are what --init begins with", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [out, saved, again] = ["out", "new/a.safetensors", "b.safetensors"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    const args = ["--data", data, "--norm", "bs:2", "--batch", "8", "--epochs", "1", "--quiet"];
    const first = await command([...args, "--out", out, "--save", saved]);
    t.equal(first.code, 0, first.stderr);
    t.ok(first.stdout.includes(`\nweights:       ${saved}\n`), "the summary says where");
    // With a rate of 0 the weights stay: what is saved is what it began with, but for running statistics.
    for (const init of [saved, join(out, checkpointFile), out]) {
      const still = [...args, "--lr", "0", "--init", init, "--save", again];
      const { code, stderr } = await command(still);
      t.equal(code, 0, stderr);
      const [a, b] = [await openSafetensorsFile(saved), await openSafetensorsFile(again)];
      t.equal(b.metadata.get("norm"), "bs:2");
      t.deepEqual([...b.tensors.keys()], [...a.tensors.keys()]);
      for (const name of ["conv1.weight", "layer3.2.bn2.weight", "fc.bias"]) {
        t.deepEqual(await b.read(name), await a.read(name), name);
      }
      t.notDeepEqual(await b.read("bn1.running_var"), await a.read("bn1.running_var"));
      await Promise.all([a.dispose(), b.dispose()]);
    }
  });
});

test("without --data the embedded images are used, and without --out nothing is kept", async (t) => {
  const few = ["--train-images", "8", "--test-images", "4", "--batch", "4", "--epochs", "1"];
  const { code, stdout } = await command([...few, "--norm", "none"]);
  t.equal(code, 0);
  t.match(stdout, /^resnet20 with none on fashion-mnist-subset \(it comes with fewnorm; --data/);
  t.match(stdout, /nothing will be written, since there is no --out/);
  t.match(stdout, /checkpoint: +none/);
  await inFolder(async (folder) => {
    const jsonl = ["--jsonl", join(folder, "steps.jsonl")];
    const measured = await command([...few, "--norm", "none", ...jsonl]);
    t.match(measured.stdout, /no checkpoint will be written, since there is no --out/);
  });
});

test("--quiet prints the summary only", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const args = ["--data", data, "--norm", "bn", "--batch", "8", "--epochs", "1", "--quiet"];
    const { code, stdout, stderr } = await command(args);
    t.equal(code, 0);
    t.equal(stderr, "");
    t.match(stdout, /^test accuracy/);
    t.equal(stdout.trimEnd().split("\n").length, 5);
  });
});

test("every schedule and every kind of norm trains", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const common = ["--data", data, "--batch", "8", "--epochs", "2", "--quiet"];
    for (const args of [
      ["--schedule", "constant", "--norm", "vdn:2"],
      ["--schedule", "step", "--milestones", "1", "--norm", "fs:1/4"],
      ["--schedule", "cosine", "--warmup", "1", "--norm", "vdn:2+bs:2@detached", "--no-augment"],
      ["--momentum", "0", "--weight-decay", "0", "--norm", "ns:4@sampled"],
    ]) {
      const { code, stderr } = await command([...common, ...args]);
      t.equal(code, 0, `${args.join(" ")} ${stderr}`);
    }
  });
});

test("--recalibrate and --batch-statistics test once more, and --save keeps the new statistics", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [plain, saved] = [join(folder, "plain.safetensors"), join(folder, "new.safetensors")];
    const args = ["--data", data, "--norm", "fs:2x2", "--batch", "8", "--epochs", "1", "--quiet"];
    t.equal((await command([...args, "--save", plain])).code, 0);
    const out = join(folder, "out");
    const extra = ["--recalibrate", "4", "--batch-statistics", "--save", saved, "--out", out];
    const { code, stdout, stderr } = await command([...args, ...extra]);
    t.equal(code, 0, stderr);
    t.match(stdout, /\nrecalibrated: +[\d.]+%, loss [\d.]+, by statistics of 4 training batches\n/);
    t.match(stdout, /\nbatch stats: +[\d.]+%, loss [\d.]+, by each test batch's own statistics\n/);
    const summary = JSON.parse(await readFile(join(out, "summary.json"), "utf8"));
    t.equal(summary.recalibrated.batches, 4);
    t.equal(summary.recalibrated.count, 8);
    t.ok(summary.batchStatistics.loss > 0);
    const [before, after] = await Promise.all([plain, saved].map(openSafetensorsFile));
    const valuesOf = async (name: string) => [
      (await before?.readFloat32(name))?.values,
      (await after?.readFloat32(name))?.values,
    ];
    const [weight, same] = await valuesOf("conv1.weight");
    t.deepEqual(weight, same, "weights stay");
    const [variance, other] = await valuesOf("bn1.running_var");
    t.notDeepEqual(variance, other, "statistics are new");
    for (const file of [before, after]) await file?.dispose();
  });
});

test("optimizer, clipping, average, smoothing and mixup are in the summary, and remembered", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const out = join(folder, "out");
    const args = ["--data", data, "--batch", "8", "--epochs", "1", "--quiet", "--out", out];
    const method = ["--optimizer", "adamw", "--clip", "1", "--ema", "0.9", "--mixup", "0.2"];
    const first = await command([...args, ...method, "--label-smoothing", "0.1"]);
    t.equal(first.code, 0, first.stderr);
    const summary = JSON.parse(await readFile(join(out, "summary.json"), "utf8"));
    t.equal(summary.settings.optimizerName, "adamw");
    t.equal(summary.settings.lr, 0.001);
    t.equal(summary.settings.mixup, 0.2);
    const { checkpoint } = await readCheckpoint(out);
    const { optimizer, objective } = checkpoint.settings;
    t.match(`${optimizer}`, /^averaged\(clipped\(adamw\(betas 0\.9 and 0\.999, .*, 1\), 0\.9\)$/);
    t.equal(objective, "mixup(cross-entropy(label smoothing 0.1), alpha 0.2)");
    t.ok(checkpoint.tensors.has("fc.weight.average"));
    // Everything is done already; that it goes on at all says that the settings are the same.
    const again = await command(["--out", out, "--resume", "--quiet"]);
    t.equal(again.code, 0, again.stderr);
    const other = await command(["--out", out, "--resume", "--ema", "0.99"]);
    t.match(other.stderr, /ema is 0\.9 there, 0\.99 here/);
  });
});
