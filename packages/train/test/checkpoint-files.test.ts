// Checkpoints as files: replaced at once, the previous one kept, clear words when something is wrong.
import { spawnSync } from "node:child_process";
import {
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Checkpoint } from "@fewnorm/train";
import {
  besideOf,
  checkpointFile,
  makeFolder,
  previousCheckpointFile,
  readCheckpoint,
  replaceFile,
  weightsFile,
  writeCheckpoint,
} from "@fewnorm/train/node";
import test from "tape";

const numbered = (step: number): Checkpoint => ({
  step,
  settings: {},
  notes: {},
  progress: { epoch: { count: 0, loss: 0, correct: 0 } },
  tensors: new Map([["p", { shape: [2], values: Float32Array.of(step, 0.1) }]]),
});

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const refusal = (path: string): Promise<string> =>
  readCheckpoint(path).then(
    () => "it was read",
    (error: Error) => error.message,
  );

test("a folder keeps the newest checkpoint and the one before, and nothing else", async (t) => {
  await inFolder(async (folder) => {
    const out = join(folder, "new", "folder");
    for (const step of [1, 2, 3]) {
      t.equal(await writeCheckpoint(out, numbered(step)), join(out, checkpointFile));
    }
    t.deepEqual((await readdir(out)).sort(), [checkpointFile, previousCheckpointFile].sort());
    t.deepEqual(await readCheckpoint(out), {
      checkpoint: numbered(3),
      where: join(out, checkpointFile),
    });
    const previous = join(out, previousCheckpointFile);
    t.deepEqual(await readCheckpoint(previous), { checkpoint: numbered(2), where: previous });
    await rm(join(out, checkpointFile));
    t.equal((await readCheckpoint(out)).checkpoint.step, 2, "the previous one stands in");
  });
});

test("more metadata can be kept, and is checked with the rest", async (t) => {
  await inFolder(async (folder) => {
    const path = await writeCheckpoint(folder, numbered(1), { model: "tiny" });
    t.deepEqual((await readCheckpoint(folder)).checkpoint, numbered(1));
    const bytes = await readFile(path);
    const at = bytes.indexOf("tiny");
    t.ok(at > 0, "it is in the file");
    bytes[at] = 0x7a;
    await writeFile(path, bytes);
    t.match(await refusal(folder), /does not match its checksum/);
  });
});

test("a damaged checkpoint is refused, and the one before it named", async (t) => {
  await inFolder(async (folder) => {
    const path = await writeCheckpoint(folder, numbered(1));
    await truncate(path, 70);
    t.match(await refusal(folder), /^openSafetensors: .*checkpoint\.safetensors has 70 bytes/);
    t.doesNotMatch(await refusal(folder), /delete it/, "where there is none before it");
    await writeCheckpoint(folder, numbered(2));
    await writeCheckpoint(folder, numbered(3));
    await truncate(path, 70);
    t.match(
      await refusal(folder),
      /70 bytes.*to go on from the one before it, checkpoint\.previous\.safetensors/,
    );
  });
});

test("where there is no checkpoint, that is said", async (t) => {
  await inFolder(async (folder) => {
    t.match(await refusal(folder), /^readCheckpoint: there is no checkpoint in /);
    t.match(await refusal(join(folder, "missing")), /there is no checkpoint in/);
  });
});

test("folders are made from the outermost on, and refused where they cannot be", async (t) => {
  await inFolder(async (folder) => {
    const [a, b] = [join(folder, "a"), join(folder, "a", "b")];
    t.deepEqual(await makeFolder(b), [a, b]);
    t.deepEqual(await makeFolder(b), []);
    const file = join(folder, "file");
    await writeFile(file, "");
    // In /proc nobody can make folders.
    const proc = process.platform === "linux" ? ["/proc/fewnorm/below"] : [];
    for (const impossible of [file, join(file, "below"), ...proc]) {
      await makeFolder(impossible).then(
        () => t.fail(`${impossible} was made`),
        (error: NodeJS.ErrnoException) => t.ok(error.code, `${impossible}: ${error.code}`),
      );
    }
  });
});

test("a write that fails leaves the old file as it was", async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, "file");
    await writeFile(file, "old");
    const below = writeCheckpoint(file, numbered(1));
    await below.then(
      () => t.fail("it was written below a file"),
      (error: Error) => t.match(error.message, /^writeCheckpoint: cannot write .*unharmed$/),
    );
    // A folder in the place of the file beside makes the write fail after the old file was found.
    const { mkdir } = await import("node:fs/promises");
    await mkdir(besideOf(file));
    await replaceFile(file, "new").then(
      () => t.fail("it was replaced"),
      () => t.pass("the write failed"),
    );
    t.equal(await readFile(file, "utf8"), "old");
  });
});

test("processes write beside a file each on its own, and what ended ones left is removed", async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, "file");
    const other = (pid: number | undefined) => `${file}.${pid}.writing`;
    const [running, ended] = [other(process.ppid), other(spawnSync(process.execPath, ["-v"]).pid)];
    await writeFile(running, "half");
    const kept = join(folder, "kept");
    await writeFile(ended, "half");
    await writeFile(ended.replace(file, kept), "half");
    await replaceFile(file, "old");
    await replaceFile(file, "whole", kept);
    t.deepEqual((await readdir(folder)).toSorted(), ["file", basename(running), "kept"]);
  });
});

test("weights are those of the checkpoint that is left, too", async (t) => {
  await inFolder(async (folder) => {
    t.equal(await weightsFile(folder), folder);
    await writeFile(join(folder, previousCheckpointFile), "");
    t.equal(await weightsFile(folder), join(folder, previousCheckpointFile));
    await writeFile(join(folder, checkpointFile), "");
    t.equal(await weightsFile(folder), join(folder, checkpointFile));
  });
});

test("a file that a link points to is replaced, a folder or a device is not", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-"));
  try {
    const [file, linked] = [join(folder, "file"), join(folder, "link")];
    await writeFile(file, "old");
    await symlink(file, linked);
    await replaceFile(linked, "new");
    t.equal(await readFile(file, "utf8"), "new");
    t.ok((await lstat(linked)).isSymbolicLink(), "the link is still one");
    const dangling = join(folder, "dangling");
    await symlink("new file", dangling);
    await replaceFile(dangling, "newest");
    t.equal(await readFile(join(folder, "new file"), "utf8"), "newest");
    const refusal = (path: string) => replaceFile(path, "").catch((error: Error) => error.message);
    t.equal(await refusal(folder), `${folder} is a folder`);
    if (process.platform !== "win32") {
      t.equal(await refusal("/dev/null"), "/dev/null is no regular file");
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
