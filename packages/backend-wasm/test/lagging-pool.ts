// Threads that are simulated, an instruction at a time: one works as far ahead of the others as the plan's waits let it,
// and one lags behind them. Where a wait is missing results differ, every time.

import type { EngineBinary } from "../src/engine/binary.ts";
import { type EngineExports, instantiate, MEETING } from "../src/engine/control.ts";
import type { Pool } from "../src/engine/pool.ts";

/** Words between the counts of two threads, and of an instruction (src/plan/link.ts). */
const [LINE, INSTRUCTION] = [16, 3];
/** More than a plan's instructions. */
const FAR = 2 ** 20;

export interface LaggingPool extends Pool {
  /** The threads, the one that works ahead first. */
  order: readonly number[];
}

/** @throws Error when no thread may go on. */
export async function createLaggingPool(
  { module }: EngineBinary,
  memory: WebAssembly.Memory,
  threads: number,
): Promise<LaggingPool> {
  const engines: EngineExports[] = [];
  for (let thread = 0; thread < threads; thread++) engines.push(await instantiate(module, memory));
  let before = 0; // instructions of all runs

  /** Lets a thread do instruction `i` of a plan, as if the others had done all that it waits for at its end. */
  function step(plan: number, i: number, thread: number): void {
    const counts = new Int32Array(memory.buffer, MEETING);
    for (let other = 0; other < threads; other++) counts[LINE * (1 + other)] = before + FAR;
    counts[LINE * (1 + thread)] = before + i;
    engines[thread]?.run(plan, i, 1, thread, threads, MEETING);
  }

  const pool: LaggingPool = {
    threads,
    order: engines.map((_, thread) => thread),
    async run(plan, from, count) {
      const done = engines.map(() => from);
      const end = from + count;
      const mayGoOn = (thread: number) => {
        const next = done[thread] as number;
        if (next === end) return false;
        const wait = new Int32Array(memory.buffer, plan)[INSTRUCTION * next + 1] as number;
        return wait <= from || done.every((known, other) => other === thread || known >= wait);
      };
      while (done.some((known) => known < end)) {
        const thread = pool.order.find(mayGoOn);
        if (thread === undefined) throw new Error(`run: all threads wait, at ${done}`);
        step(plan, done[thread] as number, thread);
        done[thread] = (done[thread] as number) + 1;
      }
      before += end + 1;
    },
    async dispose() {},
  };
  return pool;
}
