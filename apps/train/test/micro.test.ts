// --micro: what it says, what it refuses, and that trainings with it go on like others.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inFolder } from "@fewnorm/command-line/testing";
import { encodeCheckpoint } from "@fewnorm/train";
import { readCheckpoint } from "@fewnorm/train/node";
import test from "tape";
import { command, writeMnist } from "./command.ts";

test("a training in micro-batches goes on bit for bit, and remembers their size", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const method = ["--norm", "vdn:1+bs:2", "--clip", "1", "--ema", "0.9", "--mixup", "0.2"];
    const size = ["--batch", "8", "--micro", "2", "--schedule", "constant", "--warmup", "0"];
    const args = ["--data", data, ...method, ...size];
    const [whole, parted] = [join(folder, "whole"), join(folder, "parted")];
    const first = await command([...args, "--epochs", "2", "--out", whole]);
    t.equal(first.code, 0, first.stderr);
    t.match(first.stdout, /, batch 8 in micro-batches of 2, 2 epochs/);
    t.match(first.stdout, /\nmemory: +[\d.]+ MiB of intermediate results/);
    const summary = JSON.parse(await readFile(join(whole, "summary.json"), "utf8"));
    t.equal(summary.settings.micro, 2);
    t.ok(summary.workspaceBytes > 0);

    t.equal((await command([...args, "--epochs", "1", "--out", parted])).code, 0);
    const wrong = await command(["--out", parted, "--resume", "--epochs", "2", "--micro", "4"]);
    t.equal(wrong.code, 1);
    t.match(wrong.stderr, /belongs to another training \(micro is 2 there, 4 here\)/);
    const second = await command(["--out", parted, "--resume", "--epochs", "2"]);
    t.equal(second.code, 0, second.stderr);
    const [a, b] = [await readCheckpoint(whole), await readCheckpoint(parted)];
    t.deepEqual(await encodeCheckpoint(b.checkpoint), await encodeCheckpoint(a.checkpoint));
  });
});

test("micro-batches of all images are a batch that is not split; others must divide it", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const args = ["--data", data, "--norm", "bs:2", "--batch", "8", "--epochs", "1", "--quiet"];
    const [plain, same] = [join(folder, "plain"), join(folder, "same")];
    t.equal((await command([...args, "--out", plain])).code, 0);
    t.equal((await command([...args, "--out", same, "--micro", "8"])).code, 0);
    const [a, b] = [await readCheckpoint(plain), await readCheckpoint(same)];
    t.deepEqual(await encodeCheckpoint(b.checkpoint), await encodeCheckpoint(a.checkpoint));

    const three = await command([...args, "--micro", "3"]);
    t.equal(three.code, 1);
    t.match(three.stderr, /micro-batches of 3 do not divide the batch of 8; use .* such as 2\n$/);
    const none = await command([...args, "--micro", "0"]);
    t.equal(none.code, 2);
    t.match(none.stderr, /--micro 0 is not a whole number >= 1/);
  });
});
