// The way through the platform's interfaces that a browser takes: fetch and Worker instead of Node's modules.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createPrefetch, loadEmbedded } from "@fewnorm/data";
import test from "tape";
import { temporaryFolder } from "./make-files.ts";
import { runScript } from "./run-script.ts";

/** Takes `process` away, so that the package finds a platform that is not Node, with a fetch for files. */
const opening = `
  import { readFile } from "node:fs/promises";
  import { Worker as Thread } from "node:worker_threads";
  import { gunzipSync } from "node:zlib";
  const fetched = [];
  globalThis.fetch = async (url) => {
    fetched.push(url.pathname.split("/").at(-1));
    const bytes = await readFile(url);
    // As servers do that declare .gz files as compressed transfers.
    return new Response(url.pathname.includes("train-labels") ? gunzipSync(bytes) : bytes);
  };
  const { log } = console;
  const print = (value) => log(JSON.stringify(value));
  class ThreadAsWorker {
    constructor(url) { this.thread = new Thread(url); }
    postMessage(message, transfer) { this.thread.postMessage(message, transfer); }
    addEventListener(type, listener) {
      this.thread.on(type, (value) =>
        listener(type === "message" ? { data: value } : { message: value.message, preventDefault() {} }));
    }
    terminate() { this.thread.terminate(); }
  }
  delete globalThis.process;
  const { loadEmbedded, createPrefetch } = await import(${JSON.stringify(import.meta.resolve("@fewnorm/data"))});
  const data = await loadEmbedded();`;

test("browser: loadEmbedded fetches its files", async (t) => {
  const script = join(await temporaryFolder(t), "fetch.mjs");
  const closing =
    "print([fetched.sort(), data.mean, data.deviation, [...data.test.labels], data.train.labels.length]);";
  await writeFile(script, `${opening}\n${closing}\n`);
  const { code, output } = await runScript(script);
  t.equal(code, 0);
  const { mean, deviation, test: split } = await loadEmbedded();
  const files = ["t10k-images", "t10k-labels", "train-images", "train-labels"];
  const names = files.map((name) => `${name}-idx${name.endsWith("images") ? 3 : 1}-ubyte.gz`);
  t.equal(output, `${JSON.stringify([names, mean, deviation, [...split.labels], 2000])}\n`);
});

test("browser: prefetch in a Worker, or directly where there is none", async (t) => {
  const script = join(await temporaryFolder(t), "prefetch.mjs");
  const closing = `
    const options = { dataset: data, batchSize: 300, key: [0, 7], augment: true };
    for (const Worker of [undefined, ThreadAsWorker]) {
      globalThis.Worker = Worker;
      const prefetch = await createPrefetch(data.train, options);
      print([prefetch.mode, prefetch.reason ?? ""]);
      for (const [epoch, step] of [[0, 0], [0, 1], [3, 5]]) {
        print([...(await prefetch.batch(epoch, step)).labels]);
      }
      await prefetch.dispose();
    }`;
  await writeFile(script, `${opening}\n${closing}\n`);
  const { code, output } = await runScript(script);
  t.equal(code, 0);
  const data = await loadEmbedded();
  const prefetch = await createPrefetch(data.train, {
    dataset: data,
    batchSize: 300,
    key: [0, 7],
    augment: true,
  });
  const labels: string[] = [];
  for (const [epoch, step] of [
    [0, 0],
    [0, 1],
    [3, 5],
  ] as const) {
    labels.push(JSON.stringify([...(await prefetch.batch(epoch, step)).labels]));
  }
  await prefetch.dispose();
  t.deepEqual(output.trim().split("\n"), [
    JSON.stringify(["direct", "this platform has no workers"]),
    ...labels,
    JSON.stringify(["worker", ""]),
    ...labels,
  ]);
});
