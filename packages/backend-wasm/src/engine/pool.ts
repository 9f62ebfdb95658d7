// Threads that run plans together. In Node and in a page's worker the caller is one of them; when a page itself calls,
// which must not be blocked, all are workers, where these can share memory.

import type { EngineBinary } from "./binary.ts";
import { instantiate, JOB, MEETING, poison, type WorkerStart } from "./control.ts";
import { isNode, mayBlock } from "./platform.ts";
import { type Handle, startNodeWorker, startWebWorker } from "./worker-handle.ts";

export interface Pool {
  readonly threads: number;
  /** Runs part of a plan on all threads. @throws Error when the engine stops, and ever after. */
  run(plan: number, from: number, count: number): Promise<void>;
  dispose(): Promise<void>;
}

/** @throws Error when a worker cannot be started; none is left then. */
export async function createPool(
  binary: EngineBinary,
  memory: WebAssembly.Memory,
  threads: number,
): Promise<Pool> {
  const takesPart = mayBlock || !binary.shared;
  const engine = takesPart ? await instantiate(binary.module, memory) : undefined;
  const workers: Handle[] = [];
  const terminate = () => Promise.all(workers.map((worker) => worker.terminate()));
  let stopped: Error | undefined;
  let running: { resolve(): void; reject(reason: Error): void } | undefined;

  /** Ends the pool after a failure: what is in memory cannot be relied on, nor can the threads. */
  function stop(cause: unknown): Error {
    if (stopped !== undefined) return stopped;
    const why = cause instanceof Error ? cause.message : String(cause);
    stopped = new Error(
      `run: the engine stopped (${why}); dispose the backend and create another`,
      {
        cause,
      },
    );
    poison(memory);
    void terminate();
    running?.reject(stopped);
    return stopped;
  }

  const events = { done: () => running?.resolve(), stopped: stop };
  try {
    for (let thread = takesPart ? 1 : 0; thread < threads; thread++) {
      const report = thread === 0;
      const start: WorkerStart = { module: binary.module, memory, thread, threads, report };
      workers.push(isNode ? await startNodeWorker(start, events) : startWebWorker(start, events));
    }
    await Promise.all(workers.map(({ ready }) => ready));
  } catch (cause) {
    await terminate();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `createWasmBackend: a worker could not be started (${why}); use fewer threads, or 1`,
      { cause },
    );
  }

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
      if (stopped !== undefined) throw stopped;
      // Nobody would wait for the workers to have seen it, and one could take the next job for two.
      if (count === 0) return;
      if (engine === undefined) {
        const done = new Promise<void>((resolve, reject) => {
          running = { resolve, reject };
        });
        post(plan, from, count);
        return done;
      }
      post(plan, from, count);
      try {
        engine.run(plan, from, count, 0, threads, MEETING);
      } catch (error) {
        throw stop(error);
      }
    },
    async dispose() {
      post(0, 0, 0);
      await terminate();
    },
  };
}
