// Worker threads of Node and of browsers behind one small interface, and what is sent through it.
import type { Batch, BatchesOptions } from "./batches.ts";
import type { Split } from "./dataset.ts";
import { isNode, nodeThreads } from "./node.ts";

/** To the worker: once the data, then one request a batch. Buffers travel there and back, nothing is copied. */
export type Request =
  | { readonly type: "start"; readonly split: Split; readonly options: BatchesOptions }
  | {
      readonly type: "fill";
      readonly id: number;
      readonly epoch: number;
      readonly step: number;
      readonly images: Float32Array;
      readonly labels: Int32Array;
    };

/** From the worker. `error` stands beside a batch that could not be made; its buffers come back all the same. */
export type Reply =
  | { readonly type: "ready" }
  | { readonly type: "failed"; readonly error: Error }
  | { readonly type: "filled"; readonly id: number; readonly batch: Batch; readonly error?: Error };

/** One end of a conversation. */
export interface Port<Sent, Received> {
  send(message: Sent, transfer?: readonly ArrayBufferLike[]): void;
  onMessage(listener: (message: Received) => void): void;
}

/** The consumer's end, with the worker's life in its hands. */
export interface WorkerPort extends Port<Request, Reply> {
  /** Called when the worker dies or a message cannot be read; at most once matters. */
  onFailure(listener: (error: Error) => void): void;
  /** Whether the process has to wait for the worker. Always so in a browser, where it makes no difference. */
  keepAlive(wanted: boolean): void;
  end(): Promise<void>;
}

/** Starts a worker; throws or fails later, where workers do not exist or the script cannot be loaded. */
export async function startWorker(url: URL | undefined): Promise<WorkerPort> {
  return isNode ? startThread(url) : startWebWorker(url);
}

async function startThread(url: URL | undefined): Promise<WorkerPort> {
  const { Worker } = await nodeThreads();
  // Bundlers, which are for pages, shall see the worker's script in startWebWorker alone.
  const own = new URL(
    /* @vite-ignore */ /* webpackIgnore: true */ "./prefetch-worker.js",
    import.meta.url,
  );
  // Without this process's own options: some, such as --input-type, are refused for a file.
  const worker = new Worker(url ?? own, { execArgv: [] });
  let ending = false;
  return {
    send: (message, transfer = []) => worker.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (listener) => worker.on("message", listener),
    onFailure(listener) {
      worker.on("error", listener);
      worker.on("messageerror", listener);
      worker.on("exit", (code) => listener(new Error(`the worker ended with exit code ${code}`)));
    },
    keepAlive(wanted) {
      if (wanted || ending) worker.ref();
      else worker.unref();
    },
    async end() {
      // Or else the process may end before this promise settles.
      ending = true;
      worker.ref();
      await worker.terminate();
    },
  };
}

/** The part of a browser's Worker that is used here; the DOM's types are not loaded. */
interface WebWorker {
  postMessage(message: Request, transfer: ArrayBufferLike[]): void;
  addEventListener(
    type: string,
    listener: (event: { data: Reply; message?: string; preventDefault(): void }) => void,
  ): void;
  terminate(): void;
}

declare const Worker: (new (url: URL, options: { type: "module" }) => WebWorker) | undefined;

async function startWebWorker(url: URL | undefined): Promise<WorkerPort> {
  if (typeof Worker === "undefined") throw new Error("this platform has no workers");
  const worker = url
    ? new Worker(url, { type: "module" })
    : // In one expression, with the global's own name, since this is how bundlers find the worker's script.
      new Worker(new URL("./prefetch-worker.js", import.meta.url), { type: "module" });
  return {
    send: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => worker.addEventListener("message", ({ data }) => listener(data)),
    onFailure(listener) {
      for (const type of ["error", "messageerror"]) {
        worker.addEventListener(type, (event) => {
          event.preventDefault();
          listener(new Error(event.message ?? "the worker's script could not be loaded"));
        });
      }
    },
    keepAlive() {},
    async end() {
      worker.terminate();
    },
  };
}

/** The worker's own end. */
export async function parentPort(): Promise<Port<Reply, Request>> {
  if (isNode) {
    const { parentPort: port } = await nodeThreads();
    if (port === null) throw new Error("prefetch-worker: this file runs only as a worker");
    return {
      send: (message, transfer = []) => port.postMessage(message, transfer as ArrayBuffer[]),
      onMessage: (listener) => port.on("message", listener),
    };
  }
  const scope = globalThis as unknown as WebWorker;
  return {
    send: (message, transfer = []) => {
      (scope.postMessage as (message: unknown, transfer: ArrayBufferLike[]) => void)(message, [
        ...transfer,
      ]);
    },
    onMessage: (listener) =>
      scope.addEventListener("message", ({ data }) => listener(data as unknown as Request)),
  };
}
