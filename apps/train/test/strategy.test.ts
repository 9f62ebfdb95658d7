// Trainings with a sampling strategy of one's own.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inFolder } from "@fewnorm/command-line/testing";
import { openSafetensorsFile } from "@fewnorm/safetensors/node";
import { readCheckpoint } from "@fewnorm/train/node";
import test from "tape";
import { command, start, writeMnist } from "./command.ts";

/** Writes a module with a strategy that takes the first images, as `ns` does. */
async function writeStrategy(folder: string, name: string): Promise<string> {
  const file = join(folder, `${name}.mjs`);
  await writeFile(
    file,
    `export const strategy = {
      name: "${name}:4",
      virtualRows: 0,
      extent: ({ height, width }) => ({ rows: 4, height, width }),
      origin: () => ({ row: 0, top: 0, left: 0 }),
    };`,
  );
  return file;
}

const size = ["--batch", "8", "--epochs", "4", "--checkpoint-every", "1", "--eval-every", "4"];

test("a strategy of a module is trained with, and remembered when that goes on", async (t) => {
  await inFolder(async (folder) => {
    const data = ["--data", await writeMnist(folder), ...size];
    const strategy = await writeStrategy(folder, "mine");
    const [known, own] = [join(folder, "known"), join(folder, "own")];
    const weights = join(folder, "weights.safetensors");
    t.equal((await command([...data, "--norm", "ns:4", "--out", known])).code, 0);

    const running = start([...data, "--strategy", strategy, "--out", own, "--save", weights]);
    await running.says("epoch 2/4");
    running.child.kill("SIGINT");
    t.equal((await running.ended).code, 130);
    const { code, stdout, stderr } = await command(["--out", own, "--resume"]);
    t.equal(code, 0, stderr);
    t.match(stdout, /^resnet20 with mine:4 on /);
    const { checkpoint } = await readCheckpoint(own);
    t.deepEqual(checkpoint.tensors, (await readCheckpoint(known)).checkpoint.tensors);

    const file = await openSafetensorsFile(weights);
    t.equal(file.metadata.get("norm"), "bn", "what pnpm export makes of the weights");
    await file.dispose();
  });
});

test("another strategy or norm is not gone on with", async (t) => {
  await inFolder(async (folder) => {
    const data = await writeMnist(folder);
    const [mine, other] = [
      await writeStrategy(folder, "mine"),
      await writeStrategy(folder, "other"),
    ];
    const out = ["--out", join(folder, "out")];
    const first = ["--data", data, ...size, ...out, "--strategy", mine];
    t.equal((await command(first)).code, 0);
    for (const [given, name] of [
      [["--strategy", other], "other:4"],
      [["--norm", "bs:4"], "bs:4"],
    ] as const) {
      const { code, stderr } = await command([...out, "--resume", ...given]);
      t.equal(code, 1);
      t.match(stderr, new RegExp(`norm.*mine:4.*${name}|norm.*${name}.*mine:4`));
    }
    const both = await command(["--strategy", mine, "--norm", "bs:4"]);
    t.equal(both.code, 2);
    t.match(both.stderr, /--norm and --strategy exclude each other; give one of them/);
  });
});
