// Files on a disk: written at once, opened without being read, closed again.
import { mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeSafetensors, type FloatTensor } from "@fewnorm/safetensors";
import { openSafetensorsFile, writeSafetensors } from "@fewnorm/safetensors/node";
import test from "tape";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const tensorsOf = (value: number, size = 3): Map<string, FloatTensor> =>
  new Map([
    ["a", { shape: [size], values: new Float32Array(size).fill(value) }],
    ["b", { shape: [1, 1], values: Float32Array.of(-value) }],
  ]);

test("a file is replaced, and the old one kept where that is wanted", async (t) => {
  await inFolder(async (folder) => {
    const [path, keep] = [join(folder, "new", "x.safetensors"), join(folder, "new", "old")];
    for (const value of [1, 2]) await writeSafetensors(path, tensorsOf(value), { keep });
    for (const [where, value] of [
      [path, 2],
      [keep, 1],
    ] as const) {
      const file = await openSafetensorsFile(where);
      t.deepEqual(await file.readFloat32("a"), tensorsOf(value).get("a"));
      t.deepEqual(await file.readFloat32("b"), tensorsOf(value).get("b"));
      await file.dispose();
    }
    t.deepEqual((await readdir(join(folder, "new"))).sort(), ["old", "x.safetensors"]);
  });
});

test("large tensors go through in pieces, and not twice through memory", async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, "large.safetensors");
    const size = 10_000_003;
    await writeSafetensors(path, tensorsOf(0.5, size));
    const before = process.memoryUsage().arrayBuffers;
    const file = await openSafetensorsFile(path);
    const opened = process.memoryUsage().arrayBuffers;
    t.ok(opened - before < 1e6, `opening took ${opened - before} bytes of ${4 * size}`);
    const { values } = await file.readFloat32("a");
    const read = process.memoryUsage().arrayBuffers - opened;
    // Once for the values, and something for the runtime; twice would be 80 MB.
    t.ok(read < 1.25 * 4 * size, `reading took ${read} bytes`);
    t.ok(values.length === size && values.every((value) => value === 0.5), "all values are there");
    t.deepEqual(await file.readFloat32("b"), tensorsOf(0.5).get("b"));
    await file.dispose();
  });
});

test("what cannot be opened is named, and what is cut off while it is read is noticed", async (t) => {
  await inFolder(async (folder) => {
    const refusal = (path: string) =>
      openSafetensorsFile(path).then(
        () => "it was opened",
        (error: Error) => error.message,
      );
    t.match(
      await refusal(join(folder, "nowhere")),
      /^openSafetensors: cannot read .*nowhere.*ENOENT/,
    );
    await mkdir(join(folder, "sub"));
    t.match(await refusal(join(folder, "sub")), /sub \(it is a folder\); give a file/);
    const path = join(folder, "x.safetensors");
    await writeFile(path, encodeSafetensors(tensorsOf(1)));
    const file = await openSafetensorsFile(path);
    await truncate(path, 20);
    const message = await file.read("b").catch((error: Error) => error.message);
    t.match(String(message), /x\.safetensors became shorter/);
    await file.dispose();
    t.match(await refusal(path), /x\.safetensors has 20 bytes, but says/);
  });
});

test("a file that cannot be written leaves nothing behind", async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, "x.safetensors");
    await writeSafetensors(path, tensorsOf(1));
    const wrong = new Map([["a", { shape: [2], values: Float32Array.of(1) }]]);
    const message = await writeSafetensors(path, wrong).catch((error: Error) => error.message);
    t.match(String(message), /"a" has 1 values/);
    t.deepEqual(await readdir(folder), ["x.safetensors"]);
    const file = await openSafetensorsFile(path);
    t.equal(file.tensors.size, 2, "the old file is whole");
    await file.dispose();
  });
});

test("of several writers of one file the last one's is whole", async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    const sizes = [300_000, 100_000, 200_000];
    await Promise.all(sizes.map((size, i) => writeSafetensors(path, tensorsOf(i, size))));
    const file = await openSafetensorsFile(path);
    const { values } = await file.readFloat32("a");
    await file.dispose();
    t.equal(values.length, 200_000);
    t.ok(values.every((value) => value === 2));
    t.deepEqual(await readdir(folder), ["a.safetensors"], "nothing is left beside it");
  });
});

test("the last of several writers is the last one called, by whatever name", async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await writeSafetensors(path, tensorsOf(0));
    // A link to a link to …: the first writer takes longer than the last one to find the file.
    const links = Array.from({ length: 30 }, (_, i) => join(folder, `link ${i}`));
    for (const [i, link] of links.entries()) await symlink(links[i - 1] ?? path, link);
    const names = [...links].reverse();
    await Promise.all([...names, path].map((name, i) => writeSafetensors(name, tensorsOf(i))));
    const file = await openSafetensorsFile(path);
    const { values } = await file.readFloat32("a");
    await file.dispose();
    t.equal(values[0], names.length);
  });
});
