// Threads that run plans together. In Node the caller is one of them; in a page, whose main thread must not be
// blocked, all are workers.

import type { EngineBinary } from "./binary.ts";
import { BARRIER, instantiate, JOB, type WorkerStart } from "./control.ts";

export interface Pool {
  readonly threads: number;
  /** Runs part of a plan on all threads. */
  run(plan: number, from: number, count: number): Promise<void>;
  dispose(): Promise<void>;
}

/** A worker of either kind. */
interface Handle {
  /** Settles when the worker waits for jobs. */
  readonly ready: Promise<void>;
  onDone: () => void;
  terminate(): Promise<void>;
}

const isNode = typeof process !== "undefined" && process.versions?.node !== undefined;

export async function createPool(
  binary: EngineBinary,
  memory: WebAssembly.Memory,
  threads: number,
): Promise<Pool> {
  const takesPart = isNode || threads === 1;
  const engine = takesPart ? await instantiate(binary.module, memory) : undefined;
  const workers: Handle[] = [];
  for (let thread = takesPart ? 1 : 0; thread < threads; thread++) {
    const report = thread === 0;
    const start = { module: binary.module, memory, thread, threads, report };
    workers.push(isNode ? await startNodeWorker(start) : startWebWorker(start));
  }
  await Promise.all(workers.map(({ ready }) => ready));

  function post(plan: number, from: number, count: number): void {
    if (workers.length === 0) return;
    const job = new Int32Array(memory.buffer, JOB, 4);
    job[1] = plan;
    job[2] = from;
    job[3] = count;
    Atomics.add(job, 0, 1);
    Atomics.notify(job, 0);
  }

  return {
    threads,
    async run(plan, from, count) {
      if (engine !== undefined) {
        post(plan, from, count);
        engine.run(plan, from, count, 0, threads, BARRIER);
        return;
      }
      const done = new Promise<void>((resolve) => {
        (workers[0] as Handle).onDone = resolve;
      });
      post(plan, from, count);
      await done;
    },
    async dispose() {
      post(0, 0, 0);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

async function startNodeWorker(start: WorkerStart): Promise<Handle> {
  const name = "node:worker_threads";
  const { Worker } = (await import(name)) as typeof import("node:worker_threads");
  // Without this process's own options: some, such as --input-type, are refused for a file.
  const worker = new Worker(new URL("./worker.js", import.meta.url), {
    workerData: start,
    execArgv: [],
  });
  const ready = new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  // An idle pool must not keep the process alive; while it starts, it may.
  const settled = ready.finally(() => worker.unref());
  return {
    ready: settled,
    onDone: () => {},
    async terminate() {
      await worker.terminate();
    },
  };
}

/** The part of the Web Worker interface that is used here. */
interface WebWorker {
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

function startWebWorker(start: WorkerStart): Handle {
  const worker = new Worker(new URL("./worker.js", import.meta.url), {
    type: "module",
  }) as unknown as WebWorker;
  const handle = {
    onDone: () => {},
    ready: new Promise<void>((resolve, reject) => {
      worker.onerror = () => reject(new Error("createWasmBackend: a worker could not be started"));
      worker.onmessage = ({ data }) => {
        if (data === "ready") resolve();
        else handle.onDone();
      };
    }),
    async terminate() {
      worker.terminate();
    },
  };
  worker.postMessage(start);
  return handle;
}
