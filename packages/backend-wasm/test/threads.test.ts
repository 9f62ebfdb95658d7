// What threads and shared memory must not change.

import { createWasmBackend } from "@fewnorm/backend-wasm";
import { multiply, trace } from "@fewnorm/tensor";
import test from "tape";
import { runStep } from "./training-step.ts";

for (const batch of [1, 3, 16, 64]) {
  test(`thread counts agree, batch ${batch}`, async (t) => {
    const one = await runStep(1, batch);
    for (const threads of [1, 2, 3, 5]) {
      const { results, again } = await runStep(threads, batch);
      for (const [name, { data }] of Object.entries(results)) {
        t.deepEqual(again[name]?.data, data, `${threads} threads give the same ${name} each time`);
        const expected = one.results[name]?.data as Float32Array;
        const largest = expected.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
        const worst = expected.reduce(
          (top, value, i) => Math.max(top, Math.abs(value - (data[i] as number))),
          0,
        );
        // Only the order of the sums over the batch differs: a few roundings of the largest result.
        t.ok(
          worst <= 1e-5 * largest,
          `${threads} threads: ${name} is off by ${worst} of ${largest}`,
        );
      }
    }
    t.end();
  });
}

test("a run without instructions wakes nobody, who might take the next one for two", async (t) => {
  const backend = await createWasmBackend({ threads: 2 });
  const same = await backend.compile(trace((b) => b.output("y", b.input("x", [4]))));
  const twice = await backend.compile(trace((b) => b.output("y", multiply(b.input("x", [4]), 2))));
  const { notify } = Atomics;
  let calls = 0;
  Atomics.notify = new Proxy(notify, {
    apply(target, _, given) {
      calls++;
      return Reflect.apply(target, Atomics, given);
    },
  });
  try {
    const x = [1, 2, 3, 4];
    t.deepEqual([...((await same.run({ x })).y?.data ?? [])], x);
    t.equal(calls, 0);
    t.deepEqual([...((await twice.run({ x })).y?.data ?? [])], [2, 4, 6, 8]);
    t.ok(calls > 0, "which others do");
  } finally {
    Atomics.notify = notify;
    await backend.dispose();
  }
});

test("an impossible number of threads", async (t) => {
  for (const threads of [0, 1.5, 1000]) {
    try {
      await createWasmBackend({ threads });
      t.fail(`${threads} must be refused`);
    } catch (error) {
      t.ok(error instanceof RangeError && error.message.includes(`${threads}`), `${threads}`);
    }
  }
  t.end();
});

test("a word for SIMD that there is not", async (t) => {
  try {
    await createWasmBackend({ simd: "fast" as "plain" });
    t.fail("it must be refused");
  } catch (error) {
    t.ok(
      error instanceof RangeError && /simd is "fast"; give "auto"/.test(error.message),
      `${error}`,
    );
  }
});

test("two backends at once, and a run after the other's end", async (t) => {
  const [a, b] = [await createWasmBackend({ threads: 2 }), await createWasmBackend({ threads: 2 })];
  const graph = trace((builder) => {
    const x = builder.input("x", [2, 2]);
    builder.output("y", multiply(x, x));
  });
  const [first, second] = [await a.compile(graph), await b.compile(graph)];
  await first.run({ x: [1, 2, 3, 4] });
  await a.dispose();
  const { y } = await second.run({ x: [1, 2, 3, 4] });
  t.deepEqual([...(y?.data ?? [])], [1, 4, 9, 16], "the other still runs");
  await b.dispose();
  t.end();
});
