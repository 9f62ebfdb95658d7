// Runs the command in a process of its own, on small data sets made for the test.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { foldIn, key, randomBits } from "@fewnorm/tensor";

const main = fileURLToPath(new URL("../src/main.js", import.meta.url));

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the command that may still be running. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has said on stdout up to now. */
  said(): string;
}

export function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, FEWNORM_DEBUG: "", ...env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended, said: () => stdout };
}

export const command = (args: readonly string[], env?: Record<string, string>): Promise<Ended> =>
  start(args, env).ended;

export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

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
