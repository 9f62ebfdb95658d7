// Small data sets in the official layouts, written by the tests themselves.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import type { Test } from "tape";

export const recordSize = 3073;
export const cifarNames = [1, 2, 3, 4, 5]
  .map((number) => `data_batch_${number}.bin`)
  .concat("test_batch.bin");
export const cifarClasses = "airplane automobile bird cat deer dog frog horse ship truck".split(
  " ",
);

/** An empty folder that is removed when the test ends. */
export async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-data-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files below a folder, making folders as needed. */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}

/** Records of which the pixel values follow from `file`, the record's number and the pixel's place. */
export function cifarRecords(file: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * recordSize);
  for (let record = 0; record < count; record++) {
    bytes[record * recordSize] = (file + record) % 10;
    for (let i = 0; i < recordSize - 1; i++) {
      bytes[record * recordSize + 1 + i] = cifarPixel(file, record, i);
    }
  }
  return bytes;
}

export function cifarPixel(file: number, record: number, i: number): number {
  const mixed = Math.imul((file * 7919 + record * 104729 + i) ^ 0x9e3779b9, 0x85ebca6b);
  return Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) >>> 24;
}

/** The seven files, `count` records in each of the six with images. */
export function cifarFiles(count = 2): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  cifarNames.forEach((name, file) => {
    files[name] = cifarRecords(file, count);
  });
  files["batches.meta.txt"] = new TextEncoder().encode(`${cifarClasses.join("\n")}\n\n`);
  return files;
}

/** A .tar.gz with the files in the folder that the official archive has. */
export async function cifarArchive(files: Readonly<Record<string, Uint8Array>>): Promise<Buffer> {
  const folder = "cifar-10-batches-bin/";
  const entries = [
    { header: { name: folder, size: 0, type: "directory" as const } },
    { header: { name: `${folder}readme.html`, size: 2 }, body: "hi" },
    ...Object.entries(files).map(([name, body]) => ({
      header: { name: folder + name, size: body.length },
      body,
    })),
  ];
  return gzipSync(await packTar(entries));
}

/** An IDX file of unsigned bytes. */
export function idxFile(dimensions: readonly number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dimensions.length + data.length);
  const view = new DataView(bytes.buffer);
  bytes[2] = 8;
  bytes[3] = dimensions.length;
  dimensions.forEach((extent, i) => {
    view.setUint32(4 + 4 * i, extent);
  });
  bytes.set(data, 4 + 4 * dimensions.length);
  return bytes;
}

/** MNIST's four files with images of 4×3: 6 for training, 2 for testing. */
export function mnistFiles(): Record<string, Uint8Array> {
  const pixels = (count: number) =>
    Uint8Array.from({ length: count * 12 }, (_, i) => (i * 5) % 256);
  return {
    "train-images-idx3-ubyte": idxFile([6, 4, 3], pixels(6)),
    "train-labels-idx1-ubyte": idxFile([6], Uint8Array.of(0, 1, 2, 3, 9, 8)),
    "t10k-images-idx3-ubyte": idxFile([2, 4, 3], pixels(2)),
    "t10k-labels-idx1-ubyte": idxFile([2], Uint8Array.of(4, 5)),
  };
}

/** Asserts that a promise fails with a plain Error of one line that matches all the patterns. */
export async function rejects(
  t: Test,
  promise: Promise<unknown>,
  patterns: readonly (RegExp | string)[],
  what: string,
): Promise<void> {
  try {
    await promise;
    t.fail(`${what}: no error`);
  } catch (error) {
    const { message } = error as Error;
    const missing = patterns.filter((pattern) =>
      typeof pattern === "string" ? !message.includes(pattern) : !pattern.test(message),
    );
    t.ok(
      error instanceof Error && !message.includes("\n") && missing.length === 0,
      `${what}: ${message}${missing.length ? ` — lacks ${missing.join(", ")}` : ""}`,
    );
  }
}
