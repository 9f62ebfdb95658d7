// What peers in JavaScript share: the job, packages of the user's, and answers to requests, line by line.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

/**
 * @typedef {{ name: string, shape: number[], values: Float32Array }} Tensor
 * @typedef {{ work: "training" | "inference", setting: string, batch: number }} Preparation
 */

/** The job that this process was started with; `tensors` is a Map of {@link Tensor}s by name. */
export function readJob() {
  const job = JSON.parse(readFileSync(String(process.argv[2]), "utf8"));
  const { buffer, byteOffset } = Uint8Array.from(readFileSync(job.values));
  const tensors = new Map();
  for (const { name, shape, offset } of job.tensors) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const values = new Float32Array(buffer, byteOffset + 4 * offset, count);
    tensors.set(name, { name, shape, values });
  }
  return { ...job, tensors };
}

/** The first `batch` images and labels of a job. */
export function firstImages({ tensors }, batch) {
  const { shape, values } = tensors.get("images");
  const [, ...image] = shape;
  const count = batch * image.reduce((product, extent) => product * extent, 1);
  const labels = Int32Array.from(tensors.get("labels").values.subarray(0, batch));
  return { shape: [batch, ...image], values: values.slice(0, count), labels };
}

/**
 * The module and version of a package in the user's node_modules; ends the process where it is missing.
 * @param {{ packages: string }} job
 * @param {string} name
 * @param {string} install what to give to `npm install`
 */
export async function loadPackage({ packages }, name, install = name) {
  const require = createRequire(join(packages, "package.json"));
  let path;
  try {
    path = require.resolve(name);
  } catch {
    write({
      missing: `npm install ${install}, in a folder that --peers names; now it is ${packages}`,
    });
    process.exit(0);
  }
  const module = await import(pathToFileURL(path).href);
  return { module: module.default ?? module, version: versionOf(path, name) };
}

function versionOf(path, name) {
  const folder = path.slice(0, path.lastIndexOf(join("node_modules", name)));
  const manifest = join(folder, "node_modules", name, "package.json");
  return JSON.parse(readFileSync(manifest, "utf8")).version;
}

const write = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

/**
 * Says what the peer can do, then answers until stdin ends. `prepare` builds the network and returns `step`, whose
 * promise is settled when its results are there, and `logits`.
 * @param {{
 *   name: string,
 *   works: Record<string, { settings: string[], batch?: number }>,
 *   prepare: (options: Preparation) => Promise<{
 *     step: (learningRate: number) => Promise<unknown>,
 *     logits: () => Promise<ArrayLike<number>>,
 *   }>,
 * }} peer
 */
export async function serve({ name, works, prepare }) {
  // What libraries print must not mix with the answers.
  for (const method of ["log", "info", "debug"]) console[method] = console.error;
  let network;
  const requests = {
    async prepare(options) {
      network = await prepare(options);
      return {};
    },
    async step({ learningRate }) {
      const began = performance.now();
      await network.step(learningRate);
      return { milliseconds: performance.now() - began };
    },
    logits: async () => ({ logits: Array.from(await network.logits()) }),
  };
  write({ name, works });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    write(await requests[request.do](request).catch(({ message }) => ({ error: message })));
  }
  process.exit(0);
}
