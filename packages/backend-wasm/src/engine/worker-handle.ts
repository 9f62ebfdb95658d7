// A worker of the pool, seen from the thread that started it: Node's and the browser's behind one interface.

import type { WorkerMessage, WorkerStart } from "./control.ts";
import { nodeThreads } from "./platform.ts";

export interface Handle {
  /** Settles when the worker waits for jobs, or has failed before it did. */
  readonly ready: Promise<void>;
  terminate(): Promise<void>;
}

export interface WorkerEvents {
  /** A job is done. */
  done(): void;
  /** The worker has stopped and will do no more jobs. */
  stopped(cause: unknown): void;
}

/** What the worker says, sorted. */
function listen({ done, stopped }: WorkerEvents) {
  let resolve = () => {};
  let reject: (cause: unknown) => void = () => {};
  const ready = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Several may fail at once; the pool hears of the first.
  ready.catch(() => {});
  const fail = (cause: unknown) => {
    reject(cause);
    stopped(cause);
  };
  const receive = (message: WorkerMessage) => {
    if (message === "ready") resolve();
    else if (message === "done") done();
    else fail(new Error(message.stopped));
  };
  return { ready, fail, receive };
}

export async function startNodeWorker(start: WorkerStart, events: WorkerEvents): Promise<Handle> {
  const { Worker } = await nodeThreads();
  // Bundlers, which are for pages, shall see the worker's script in startWebWorker alone.
  const script = new URL(
    /* @vite-ignore */ /* webpackIgnore: true */ "./worker.js",
    import.meta.url,
  );
  // Without this process's own options: some, such as --input-type, are refused for a file.
  const worker = new Worker(script, { workerData: start, execArgv: [] });
  const { ready, fail, receive } = listen(events);
  worker.on("message", receive);
  worker.on("error", fail);
  // An idle pool must not keep the process alive; while it starts, it may.
  const unref = () => worker.unref();
  ready.then(unref, unref);
  return {
    ready,
    async terminate() {
      await worker.terminate();
    },
  };
}

/** The part of the Web Worker interface that is used here. */
interface WebWorker {
  onmessage: ((event: { data: WorkerMessage }) => void) | null;
  onerror: ((event: { message?: string }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

export function startWebWorker(start: WorkerStart, events: WorkerEvents): Handle {
  const worker = new Worker(new URL("./worker.js", import.meta.url), {
    type: "module",
  }) as unknown as WebWorker;
  const { ready, fail, receive } = listen(events);
  worker.onerror = ({ message }) => fail(new Error(message ?? "its script was not loaded"));
  worker.onmessage = ({ data }) => receive(data);
  worker.postMessage(start);
  return {
    ready,
    async terminate() {
      worker.terminate();
    },
  };
}
