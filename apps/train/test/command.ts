// Runs the command in a process of its own, on small data sets made for the test.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, type Running, startScript } from "@fewnorm/command-line/testing";
import { foldIn, key, randomBits } from "@fewnorm/tensor";

const main = new URL("../src/main.js", import.meta.url);

export const start = (args: readonly string[], env?: Record<string, string>): Running =>
  startScript(main, args, env);

export const command = (args: readonly string[], env?: Record<string, string>): Promise<Ended> =>
  start(args, env).ended;

/** Bytes that look like noise and are always the same. */
export function noise(count: number, seed: number): Uint8Array {
  return Uint8Array.from(randomBits(foldIn(key(9), seed), count), (bits) => bits & 255);
}

/** MNIST's four files with square images of `side` pixels and labels 0 … 9. */
export async function writeMnist(
  folder: string,
  { side = 8, train = 32, test = 8 } = {},
): Promise<string> {
  for (const [prefix, count] of [
    ["train", train],
    ["t10k", test],
  ] as const) {
    const images = idx([count, side, side], noise(count * side * side, count));
    const labels = idx(
      [count],
      Uint8Array.from({ length: count }, (_, i) => i % 10),
    );
    await writeFile(join(folder, `${prefix}-images-idx3-ubyte`), images);
    await writeFile(join(folder, `${prefix}-labels-idx1-ubyte`), labels);
  }
  return folder;
}

function idx(dimensions: readonly number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dimensions.length + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, 8, dimensions.length]);
  dimensions.forEach((extent, i) => {
    view.setUint32(4 + 4 * i, extent);
  });
  bytes.set(data, 4 + 4 * dimensions.length);
  return bytes;
}

/** CIFAR-10's six files with `records` images each. */
export async function writeCifar(folder: string, records = 26): Promise<string> {
  const names = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}.bin`);
  for (const [i, name] of [...names, "test_batch.bin"].entries()) {
    const bytes = noise(records * 3073, i);
    for (let record = 0; record < records; record++) bytes[record * 3073] = record % 10;
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}
