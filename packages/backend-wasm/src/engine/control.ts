// Where threads meet in the engine's memory, and what they find there. The engine's constants come before, from 1024 on.

/** A job for the workers, as int32: epoch, plan, from, count. An epoch's change wakes them. */
export const JOB = 2048;
/** Where threads meet: stopped, sleepers, then what each thread has done, a line apart (see assembly/sync.ts). */
export const MEETING = 4096;
const LINE = 64;
/** The most threads that can meet. */
export const MAX_THREADS = 256;
/** The first address that may be handed out. */
export const HEAP_BASE = MEETING + LINE * (1 + MAX_THREADS);

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
  const sleepWhile = (at: number, seen: number) => {
    Atomics.wait(new Int32Array(memory.buffer), at >>> 2, seen);
  };
  const imports = { env: { memory, abort, sleepWhile, exp: Math.exp, log: Math.log } };
  const instance = await WebAssembly.instantiate(module, imports);
  return instance.exports as unknown as EngineExports;
}

/** What a worker posts: that it waits for jobs, that a job is done, or why it has stopped. */
export type WorkerMessage = "ready" | "done" | { readonly stopped: string };

/** Stops all threads that wait for another or come to. There is no way back. */
export function poison(memory: WebAssembly.Memory): void {
  const words = LINE / Int32Array.BYTES_PER_ELEMENT;
  const meeting = new Int32Array(memory.buffer, MEETING, words * (1 + MAX_THREADS));
  Atomics.store(meeting, 0, 1);
  // A changed count keeps a thread from falling asleep that has not seen the mark.
  for (let count = words; count < meeting.length; count += words) {
    Atomics.add(meeting, count, 1);
    Atomics.notify(meeting, count);
  }
}
