// A worker of the pool: waits in shared memory for jobs and does its share of each.

import {
  instantiate,
  JOB,
  MEETING,
  poison,
  type WorkerMessage,
  type WorkerStart,
} from "./control.ts";
import { isNode, nodeThreads } from "./platform.ts";

interface Port {
  postMessage(message: WorkerMessage): void;
}

/** Some hundred microseconds, in which the next job of a short step mostly comes: waking a thread takes as long. */
const SPINS = 100_000;

async function serve(start: WorkerStart, port: Port): Promise<void> {
  const { module, memory, thread, threads, report } = start;
  const engine = await instantiate(module, memory);
  const job = new Int32Array(memory.buffer, JOB, 4);
  let epoch = Atomics.load(job, 0);
  port.postMessage("ready");
  for (;;) {
    for (let spins = 0; spins < SPINS && Atomics.load(job, 0) === epoch; spins++);
    Atomics.wait(job, 0, epoch);
    const now = Atomics.load(job, 0);
    if (now === epoch) continue;
    epoch = now;
    const [, plan = 0, from = 0, count = 0] = job;
    if (plan === 0) return;
    engine.run(plan >>> 0, from, count, thread, threads, MEETING);
    if (report) port.postMessage("done");
  }
}

/** Serves until told to end. Where that fails, the others must not wait for this one. */
async function serveOrStop(start: WorkerStart, port: Port): Promise<void> {
  try {
    await serve(start, port);
  } catch (error) {
    poison(start.memory);
    port.postMessage({ stopped: error instanceof Error ? error.message : String(error) });
  }
}

// No await at the top: bundlers may emit a classic script.
if (isNode) {
  void nodeThreads().then(({ parentPort, workerData }) => {
    if (parentPort !== null) void serveOrStop(workerData as WorkerStart, parentPort);
  });
} else {
  const scope = globalThis as unknown as Port & { onmessage: unknown };
  scope.onmessage = ({ data }: { data: WorkerStart }) => void serveOrStop(data, scope);
}
