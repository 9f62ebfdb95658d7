// Who fewnorm is compared with, and how each is started.

import { basename, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Device } from "./job.ts";
import type { Command } from "./peer-process.ts";

/** A peer that may be there. */
export interface KnownPeer {
  readonly name: string;
  /** Ways to start it; the first counts that does not say that something is missing. */
  readonly commands: readonly Command[];
  /** Whether it can compute on a GPU. */
  readonly onGpu?: boolean;
}

const script = (file: string): string =>
  fileURLToPath(new URL(`../../../peers/${file}`, import.meta.url));

/** fewnorm itself, measured in a process like the others. */
export const ourselves: KnownPeer = {
  name: "fewnorm",
  commands: [[process.execPath, fileURLToPath(new URL("fewnorm-peer.js", import.meta.url))]],
};

/** The one that PYTHON names; or else that of the user's environment, then the system's, which may be another. */
const pythons =
  process.env.PYTHON === undefined ? ["python3", "/usr/bin/python3"] : [process.env.PYTHON];

const knownPeers: readonly KnownPeer[] = [
  {
    name: "PyTorch",
    commands: pythons.map((python): Command => [python, script("pytorch.py")]),
    onGpu: true,
  },
  {
    name: "onnxruntime-node",
    commands: [[process.execPath, script("onnxruntime.mjs")]],
  },
  {
    name: "TensorFlow.js",
    commands: [[process.execPath, script("tensorflow.mjs")]],
  },
  {
    name: "jax-js",
    commands: [[process.execPath, script("jax.mjs")]],
  },
];

/** Those that may be compared there: beside a GPU, a processor would say nothing of an engine. */
export const knownPeersOn = (device: Device): readonly KnownPeer[] =>
  device === "cpu" ? knownPeers : knownPeers.filter(({ onGpu }) => onGpu);

/** A peer of `--peer FILE`: .js and .mjs run in Node, .py in Python, anything else by itself. */
export function peerOfFile(file: string, folder: string): KnownPeer {
  const path = resolve(folder, file);
  const extension = extname(path);
  const name = basename(path, extension);
  if (/^\.m?js$/.test(extension)) return { name, commands: [[process.execPath, path]] };
  if (extension !== ".py") return { name, commands: [[path]] };
  return { name, commands: pythons.map((python): Command => [python, path]) };
}
