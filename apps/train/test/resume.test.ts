// Trainings that are stopped by a signal, at any moment, go on as if nothing had happened.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { inFolder } from "@fewnorm/command-line/testing";
import { key, uniform } from "@fewnorm/tensor";
import { encodeCheckpoint } from "@fewnorm/train";
import { checkpointFile, readCheckpoint, writeCheckpoint } from "@fewnorm/train/node";
import test from "tape";
import { command, start, writeMnist } from "./command.ts";

const epochs = 6;
const stepsPerEpoch = 8;

/** A training of 48 short steps with a draw, running statistics and momentum, checkpointed at each step. */
const argumentsFor = (data: string, out: string) => [
  ...["--data", data, "--out", out, "--norm", "bs:2", "--batch", "4"],
  ...["--epochs", `${epochs}`, "--checkpoint-every", "1", "--eval-every", "3"],
];

async function bytesOf(out: string): Promise<Uint8Array> {
  return encodeCheckpoint((await readCheckpoint(out)).checkpoint);
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

test("Ctrl-C saves a checkpoint, says how to go on, and the rest is bit-identical", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
    t.equal((await command(argumentsFor(data, whole))).code, 0);
    const running = start(argumentsFor(data, stopped));
    await running.says("epoch 2/6");
    running.child.kill("SIGINT");
    const { code, stdout, stderr } = await running.ended;
    t.equal(code, 130);
    t.equal(stderr, "");
    t.match(stdout, /interrupted: finishing the step/);
    t.match(stdout, /to go on: pnpm train --out \S+ --resume\n$/);
    const { checkpoint } = await readCheckpoint(stopped);
    t.ok(checkpoint.step >= 2 * stepsPerEpoch && checkpoint.step < epochs * stepsPerEpoch);

    // Nothing but the folder is needed: the checkpoint remembers the rest.
    const resumed = await command(["--out", stopped, "--resume"]);
    t.equal(resumed.code, 0, resumed.stderr);
    t.match(resumed.stdout, new RegExp(`going on from \\S+, after step ${checkpoint.step}\n`));
    t.deepEqual(await bytesOf(stopped), await bytesOf(whole));
  });
});

test("a second Ctrl-C ends at once, SIGTERM ends like the first", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const out = join(folder, "out");
    const running = start(argumentsFor(data, out));
    await running.says("epoch 1/6");
    running.child.kill("SIGTERM");
    t.equal((await running.ended).code, 143);
    t.ok((await readCheckpoint(out)).checkpoint.step > 0);

    const again = start(["--out", out, "--resume"]);
    await again.says("epoch 3/6");
    again.child.kill("SIGINT");
    again.child.kill("SIGINT");
    t.equal((await again.ended).code, 130);
    t.ok(await readCheckpoint(out), "the checkpoint is whole");
  });
});

test("SIGKILL at any moment leaves a whole checkpoint, and the rest is bit-identical", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [whole, out] = [join(folder, "whole"), join(folder, "killed")];
    const began = performance.now();
    t.equal((await command(argumentsFor(data, whole))).code, 0);
    const duration = performance.now() - began;

    // Fixed shares of the time that a whole run takes: the moments differ from machine to machine, and
    // nothing depends on which they are.
    const reached: number[] = [];
    for (const share of uniform(key(11), 6)) {
      const resume = reached.length > 0 ? ["--resume"] : [];
      const running = start([...argumentsFor(data, out), ...resume]);
      // On a busy machine the first of them may take longer than the whole run did.
      while (running.child.exitCode === null && !(await exists(join(out, checkpointFile)))) {
        await pause(5);
      }
      await pause(share * duration);
      running.child.kill("SIGKILL");
      const { signal, stderr } = await running.ended;
      if (signal === null) t.equal(stderr, "", "it had ended before");
      const { step } = (await readCheckpoint(out)).checkpoint;
      t.ok(step >= (reached.at(-1) ?? 0), `killed; the checkpoint is whole and of step ${step}`);
      reached.push(step);
    }
    const last = await command([...argumentsFor(data, out), "--resume"]);
    t.equal(last.code, 0, last.stderr);
    t.deepEqual(await bytesOf(out), await bytesOf(whole));
  });
});

test("a folder that a training runs in is refused, one whose training was killed is not", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const out = join(folder, "out");
    const running = start(argumentsFor(data, out));
    await running.says("epoch 1/6");
    const refusal = `process ${running.child.pid} on \\S+ trains in --out \\S+; wait until it has ended`;
    for (const more of [[], ["--resume"]]) {
      const { code, stderr } = await command(["--data", data, "--out", out, ...more]);
      t.equal(code, 1);
      t.match(stderr, new RegExp(refusal));
    }
    running.child.kill("SIGKILL");
    await running.ended;
    t.ok(await exists(join(out, "training.lock")), "nobody was left to take it away");
    t.equal((await command(["--out", out, "--resume"])).code, 0);
    t.notOk(await exists(join(out, "training.lock")));
  });
});

test("what comes after the training is remembered as well", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [out, save, jsonl] = ["an out", "a.safetensors", "a.jsonl"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    const more = ["--save", save, "--jsonl", jsonl, "--recalibrate", "2", "--batch-statistics"];
    const running = start([...argumentsFor(data, out), ...more]);
    await running.says("epoch 1/6");
    running.child.kill("SIGINT");
    const { code, stdout } = await running.ended;
    t.equal(code, 130);
    t.match(stdout, /pnpm train --out '\S+an out' --resume\n$/, "as a shell takes it");
    t.notOk(await exists(save));
    const resumed = await command(["--out", out, "--resume"]);
    t.equal(resumed.code, 0, resumed.stderr);
    t.match(resumed.stdout, /recalibrated: .* 2 training batches/);
    t.match(resumed.stdout, /batch stats: /);
    t.ok(await exists(save));
    t.match(await readFile(jsonl, "utf8"), /"type":"done".*"interrupted":false.*\n$/);
  });
});

test("what a checkpoint says cannot command the terminal", async (t) => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    const data = await writeMnist(folder);
    await command(["--data", data, "--out", out, "--batch", "4", "--epochs", "1"]);
    const { checkpoint } = await readCheckpoint(out);
    const notes = { ...checkpoint.notes, engine: "wasm\x1b[2J" };
    await writeCheckpoint(out, { ...checkpoint, notes });
    const { stdout } = await command(["--out", out, "--resume"]);
    t.ok(stdout.includes("note: it was wasm\\x1b[2J before"), "spelt out");
    t.notOk(stdout.includes("\x1b"));
  });
});

test("a training is not cut short within its warm-up", async (t) => {
  await inFolder(async (folder) => {
    const out = ["--out", join(folder, "out")];
    const given = ["--data", await writeMnist(folder), "--norm", "bn", "--batch", "16"];
    const first = await command([...given, "--schedule", "constant", "--epochs", "3", ...out]);
    t.equal(first.code, 0, first.stderr);
    const { code, stderr } = await command([...out, "--resume", "--epochs", "2"]);
    t.equal(code, 2);
    t.match(stderr, /--epochs 2 would end the training in its warm-up of 2 epochs; give more/);
  });
});
