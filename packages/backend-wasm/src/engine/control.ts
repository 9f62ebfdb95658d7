// Where threads meet in the engine's memory, and what they find there.

/** The barrier: arrived, generation, sleepers, stopped (see assembly/sync.ts). */
export const BARRIER = 1024;
/** A job for the workers, as int32: epoch, plan, from, count. An epoch's change wakes them. */
export const JOB = 1152;
/** The first address that may be handed out. */
export const HEAP_BASE = 4096;

/** What the engine exports. */
export interface EngineExports {
  run(
    plan: number,
    from: number,
    count: number,
    thread: number,
    threads: number,
    control: number,
  ): void;
}

/** What a worker is started with. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly threads: number;
  /** Whether to post a message after each job: thread 0, when the caller does not take part. */
  readonly report: boolean;
}

export async function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<EngineExports> {
  const abort = () => {
    throw new Error("run: the engine stopped");
  };
  const imports = { env: { memory, abort, exp: Math.exp, log: Math.log } };
  const instance = await WebAssembly.instantiate(module, imports);
  return instance.exports as unknown as EngineExports;
}

/** What a worker posts: that it waits for jobs, that a job is done, or why it has stopped. */
export type WorkerMessage = "ready" | "done" | { readonly stopped: string };

/** Stops all threads that wait at the barrier or come to it. There is no way back. */
export function poison(memory: WebAssembly.Memory): void {
  const barrier = new Int32Array(memory.buffer, BARRIER, 4);
  Atomics.store(barrier, 3, 1);
  Atomics.add(barrier, 1, 1);
  Atomics.notify(barrier, 1);
}
