// Prefetching: the same batches as made directly, failures, and how the worker ends.
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import {
  type Batch,
  type BatchesOptions,
  createBatches,
  createPrefetch,
  loadEmbedded,
} from "@fewnorm/data";
import { key } from "@fewnorm/tensor";
import test, { type Test } from "tape";
import { temporaryFolder } from "./make-files.ts";
import { runScript } from "./run-script.ts";
import { smallDataset } from "./small-dataset.ts";

const data = smallDataset(37);
const training: BatchesOptions = { dataset: data, batchSize: 8, key: key(1), augment: true };
const evaluation: BatchesOptions = { dataset: data, batchSize: 8 };

const copyOf = ({ images, labels, count }: Batch) => ({
  images: images.slice(),
  labels: labels.slice(),
  count,
});

test("prefetch: order and content are those of the direct path", async (t) => {
  for (const [what, options] of [
    ["training", training],
    ["evaluation", evaluation],
  ] as const) {
    for (const settings of [{}, { depth: 1 }, { depth: 7 }, { worker: false }]) {
      const direct = createBatches(data.train, options);
      const prefetch = await createPrefetch(data.train, { ...options, ...settings });
      t.equal(prefetch.mode, "worker" in settings ? "direct" : "worker");
      t.equal(prefetch.stepsPerEpoch, direct.stepsPerEpoch);
      t.equal(prefetch.imagesPerEpoch, direct.imagesPerEpoch);
      t.equal(prefetch.batchSize, 8);
      t.deepEqual(prefetch.shape, [8, 3, 4, 5]);
      let equal = 0;
      for (let epoch = 0; epoch < 3; epoch++) {
        for (let step = 0; step < direct.stepsPerEpoch; step++) {
          const [ahead, now] = [await prefetch.batch(epoch, step), direct.batch(epoch, step)];
          if (JSON.stringify(copyOf(ahead)) === JSON.stringify(copyOf(now))) equal++;
        }
      }
      t.equal(equal, 3 * direct.stepsPerEpoch, `${what}, ${JSON.stringify(settings)}`);
      await prefetch.dispose();
    }
  }
});

test("prefetch: any depth", async (t) => {
  const direct = createBatches(data.train, { ...training, batchSize: 1 });
  const prefetch = await createPrefetch(data.train, { ...training, batchSize: 1, depth: 20_000 });
  for (let step = 0; step < 3; step++) {
    t.deepEqual(copyOf(await prefetch.batch(0, step)), copyOf(direct.batch(0, step)), `${step}`);
  }
  await prefetch.dispose();
});

test("prefetch: jumps to any step, at any moment", async (t) => {
  const direct = createBatches(data.train, training);
  const prefetch = await createPrefetch(data.train, { ...training, depth: 3 });
  const places = [
    [5, 3],
    [5, 3],
    [0, 0],
    [0, 1],
    [0, 3],
    [1, 0],
    [0, 3],
    [9, 2],
    [9, 1],
    [9, 2],
    [9, 3],
    [10, 0],
  ] as const;
  for (const pause of [0, 5]) {
    for (const [epoch, step] of places) {
      // With a pause the prepared batches are ready, without they are on their way.
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      const ahead = copyOf(await prefetch.batch(epoch, step));
      t.deepEqual(ahead, copyOf(direct.batch(epoch, step)), `${epoch}/${step}`);
    }
  }
  await prefetch.dispose();
});

test("prefetch: a batch is taken back at the next call", async (t) => {
  const prefetch = await createPrefetch(data.train, training);
  const first = await prefetch.batch(0, 0);
  t.equal(first.images.length, 8 * 60);
  const second = await prefetch.batch(0, 1);
  t.equal(first.images.length, 0, "using it by mistake cannot go unnoticed");
  t.equal(second.images.length, 8 * 60);
  await prefetch.dispose();
});

test("prefetch: refuses what cannot work", async (t) => {
  const refused: [object, RegExp][] = [
    [{ depth: 0 }, /depth is 0/],
    [{ batchSize: 0 }, /batchSize is 0/],
    [{ batchSize: 38 }, /batchSize is 38/],
  ];
  for (const [change, message] of refused) {
    try {
      await createPrefetch(data.train, { ...training, ...change });
      t.fail(String(message));
    } catch (error) {
      t.ok(error instanceof RangeError && message.test(error.message), String(message));
    }
  }
  const prefetch = await createPrefetch(data.train, training);
  for (const [epoch, step] of [
    [0, 4],
    [-1, 0],
    [0, 0.5],
  ] as const) {
    await fails(t, prefetch.batch(epoch, step), RangeError, /batch: (epoch|step) is/);
  }
  const both = await Promise.allSettled([prefetch.batch(0, 0), prefetch.batch(0, 1)]);
  t.deepEqual(
    both.map(({ status }) => status),
    ["fulfilled", "rejected"],
    "one call at a time",
  );
  t.equal((await prefetch.batch(0, 1)).count, 8, "and it goes on after that");
  await prefetch.dispose();
});

test("prefetch: what is prepared in vain, beyond the last epoch there is, harms nothing", async (t) => {
  const prefetch = await createPrefetch(data.train, training);
  const direct = createBatches(data.train, training);
  const last = 2 ** 32 - 1;
  const ahead = copyOf(await prefetch.batch(last, 3));
  t.deepEqual(ahead, copyOf(direct.batch(last, 3)));
  t.deepEqual(copyOf(await prefetch.batch(0, 0)), copyOf(direct.batch(0, 0)));
  await prefetch.dispose();
});

/** A worker that answers like the real one, but for what `onFill` does first. */
function fakeWorker(onStart: string, onFill: string): string {
  return `
    import { parentPort } from "node:worker_threads";
    parentPort.on("message", (request) => {
      const { type, id, images, labels } = request;
      if (type === "start") {
        ${onStart}
        parentPort.postMessage({ type: "ready" });
      } else {
        ${onFill}
        parentPort.postMessage({ type: "filled", id, batch: { images, labels, count: 8 } });
      }
    });`;
}

test("prefetch: an error in the worker reaches the consumer", async (t) => {
  const folder = await temporaryFolder(t);
  const cases: [what: string, onFill: string, RegExp][] = [
    ["throws", `if (id === 3) throw new Error("out of paper");`, /failed: out of paper/],
    ["exits", `if (id === 3) process.exit(3);`, /failed: the worker ended with exit code 3/],
    [
      "reports",
      `if (id === 3) { parentPort.postMessage({ type: "filled", id, batch: { images, labels, count: 0 }, error: new RangeError("bad step") }); return; }`,
      /bad step/,
    ],
  ];
  for (const [what, onFill, message] of cases) {
    const script = join(folder, `${what}.mjs`);
    await writeFile(script, fakeWorker("", onFill));
    const workerUrl = pathToFileURL(script);
    const prefetch = await createPrefetch(data.train, { ...training, depth: 1, workerUrl });
    t.equal(prefetch.mode, "worker");
    // Order 3 goes out with the call for step 2: whether a dying worker's last answer comes first, is open.
    t.equal((await prefetch.batch(0, 0)).count, 8);
    t.equal((await prefetch.batch(0, 1)).count, 8, "batches before the error are fine");
    if (what === "reports") t.equal((await prefetch.batch(0, 2)).count, 8);
    else await prefetch.batch(0, 2).catch((error) => t.match(String(error), message));
    await fails(t, prefetch.batch(0, 3), Error, message);
    if (what === "reports") t.equal((await prefetch.batch(1, 0)).count, 8, "the worker lives on");
    else await fails(t, prefetch.batch(1, 0), Error, message);
    await prefetch.dispose();
  }
});

test("prefetch: where the worker does not start, batches are made directly", async (t) => {
  const folder = await temporaryFolder(t);
  const script = join(folder, "start.mjs");
  await writeFile(script, fakeWorker(`throw new Error("no data today");`, ""));
  for (const [options, reason] of [
    [{ workerUrl: pathToFileURL(join(folder, "none.mjs")) }, /none\.mjs/],
    [{ workerUrl: pathToFileURL(script) }, /no data today/],
    [{ worker: false }, /worker: false/],
  ] as const) {
    const prefetch = await createPrefetch(data.train, { ...training, ...options });
    t.equal(prefetch.mode, "direct");
    t.match(prefetch.reason ?? "", reason);
    t.deepEqual(
      copyOf(await prefetch.batch(1, 2)),
      copyOf(createBatches(data.train, training).batch(1, 2)),
    );
    await fails(t, prefetch.batch(0, 9), RangeError, /step is 9/);
    await prefetch.dispose();
    await fails(t, prefetch.batch(0, 0), Error, /disposed/);
  }
});

test("prefetch: a worker in a process whose own options are refused for files", async (t) => {
  const script = `
    import { createPrefetch, loadEmbedded } from ${JSON.stringify(import.meta.resolve("@fewnorm/data"))};
    const data = await loadEmbedded();
    const prefetch = await createPrefetch(data.train, { dataset: data, batchSize: 8 });
    console.log(prefetch.mode, prefetch.reason);
    await prefetch.dispose();`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "--eval",
    script,
  ]);
  t.equal(stdout, "worker undefined\n");
});

test("prefetch: after dispose, calls fail, also one that waits; disposing twice is fine", async (t) => {
  const prefetch = await createPrefetch(data.train, training);
  await prefetch.batch(0, 0);
  const waiting = fails(t, prefetch.batch(3, 0), Error, /disposed/);
  await Promise.all([prefetch.dispose(), waiting]);
  await prefetch.dispose();
  await fails(t, prefetch.batch(0, 1), Error, /disposed/);
});

test("prefetch: the process waits for a batch, and for nothing else", async (t) => {
  const folder = await temporaryFolder(t);
  const opening = `
    import { createPrefetch, loadEmbedded } from ${JSON.stringify(import.meta.resolve("@fewnorm/data"))};
    const data = await loadEmbedded();
    const prefetch = await createPrefetch(data.train, { dataset: data, batchSize: 50, key: [0, 1] });
    console.log(prefetch.mode);`;
  const endings: [what: string, code: string, exit: number, output: string][] = [
    [
      "stops early",
      "for (let i = 0; i < 3; i++) console.log((await prefetch.batch(0, i)).count);",
      0,
      "worker\n50\n50\n50\n",
    ],
    ["asks for nothing", "", 0, "worker\n"],
    ["throws", "await prefetch.batch(0, 0); throw new Error();", 1, "worker\n"],
    [
      "does not await",
      "prefetch.batch(0, 0).then(({ count }) => console.log(count));",
      0,
      "worker\n50\n",
    ],
  ];
  for (const [what, code, exit, output] of endings) {
    const script = join(folder, `${what}.mjs`);
    await writeFile(script, `${opening}\n${code}\n`);
    t.deepEqual(await runScript(script), { code: exit, output }, what);
  }
});

test("prefetch: loaded images lie in memory that the worker shares", async (t) => {
  const { train } = await loadEmbedded();
  t.ok(train.images.buffer instanceof SharedArrayBuffer);
});

async function fails(
  t: Test,
  promise: Promise<unknown>,
  type: typeof Error,
  message: RegExp,
): Promise<void> {
  try {
    await promise;
    t.fail(`no error, expected ${message}`);
  } catch (error) {
    t.ok(error instanceof type && message.test(error.message), String(error));
  }
}
