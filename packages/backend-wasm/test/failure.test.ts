// What happens when the engine itself stops, which no plan should bring about: an error, not a wait without end.

import test from "tape";
import { loadEngine } from "../src/engine/binary.ts";
import { HEAP_BASE } from "../src/engine/control.ts";
import { createHeap } from "../src/engine/heap.ts";
import { createPool } from "../src/engine/pool.ts";
import { OP_FILL } from "../src/opcodes.ts";

/** Fills [2, 1024]: thread 0 the first row, thread 1 the second, or thread 0 both. */
interface Fill {
  readonly single: boolean;
  /** Bytes from the end of the memory to the first row. */
  readonly before: number;
}

const ROW = 4 * 1024;
const plans: Readonly<Record<string, Fill>> = {
  "all threads": { single: false, before: -ROW },
  "thread 0, while the other waits": { single: true, before: -ROW },
  "thread 1, while the other waits": { single: false, before: ROW },
};

for (const [who, { single, before }] of Object.entries(plans)) {
  test(`the engine stops on ${who}`, async (t) => {
    const heap = createHeap(HEAP_BASE, true);
    const pool = await createPool(await loadEngine("auto", true), heap.memory, 2);
    const plan = heap.allocate(64);
    const write = (single: boolean, target: number) =>
      heap
        .integers(plan, 8)
        .set([OP_FILL, 0, plan + 12, Number(single), target, 2, ROW / 4, 1065353216]);
    const target = heap.allocate(2 * ROW);
    write(false, target);
    await pool.run(plan, 0, 1);
    t.deepEqual([...heap.floats(target + ROW, 2)], [1, 1], "a plan that is right runs");

    write(single, heap.memory.buffer.byteLength - before);
    const attempt = async () => {
      try {
        await pool.run(plan, 0, 1);
        return undefined;
      } catch (error) {
        return error;
      }
    };
    const error = await attempt();
    const right = error instanceof Error && /run: the engine stopped.*another/.test(error.message);
    t.ok(right, `${error}`);
    write(false, target);
    t.equal(await attempt(), error, "later runs are refused with the same words");
    await pool.dispose();
    t.end();
  });
}

test("a worker that cannot be started", async (t) => {
  // Memory that is not shared cannot be handed to a worker.
  const { memory } = createHeap(HEAP_BASE, false);
  try {
    await createPool(await loadEngine("auto", false), memory, 3);
    t.fail("must be an error");
  } catch (error) {
    const right =
      error instanceof Error && /createWasmBackend: a worker.*fewer/.test(error.message);
    t.ok(right, `${error}`);
  }
  t.end();
});
