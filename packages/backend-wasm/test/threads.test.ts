// What threads and shared memory must not change.

import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  type Builder,
  conv2d,
  type Graph,
  grad,
  key,
  mean,
  moments,
  multiply,
  normal,
  normalize,
  row,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

/** One training step of two convolutions with a normalization between them. */
function step(batch: number): Graph {
  return trace((builder: Builder) => {
    const x = builder.input("x", [batch, 3, 16, 16]);
    const w = builder.state("w", [16, 3, 3, 3]);
    const v = builder.state("v", [24, 16, 3, 3]);
    const y = conv2d(x, w, { padding: 1 });
    const statistics = moments(y);
    const one = builder.constant(1, [16]);
    const zero = builder.constant(0, [16]);
    const z = normalize(y, row(statistics, 0), one, zero, { relu: true });
    const last: Tensor = conv2d(z, v, { stride: 2, padding: 1, relu: true });
    const loss = mean(multiply(last, last));
    builder.output("loss", loss);
    for (const [i, gradient] of grad(loss, [w, v]).entries()) {
      builder.output(`gradient ${i}`, gradient);
    }
  });
}

async function run(threads: number, batch: number) {
  const backend = await createWasmBackend({ threads });
  const specs = [
    { name: "w", shape: [16, 3, 3, 3] },
    { name: "v", shape: [24, 16, 3, 3] },
  ];
  const state = await backend.createState(specs);
  for (const [i, { name, shape }] of specs.entries()) {
    const size = shape.reduce((product, length) => product * length, 1);
    await state.write(name, normal(key(i), size));
  }
  const executable = await backend.compile(step(batch), state);
  const x = normal(key(9), batch * 3 * 16 * 16);
  const results = await executable.run({ x });
  const again = await executable.run({ x });
  await backend.dispose();
  return { results, again };
}

for (const batch of [1, 3, 16]) {
  test(`thread counts agree, batch ${batch}`, async (t) => {
    const one = await run(1, batch);
    for (const threads of [1, 2, 3, 5]) {
      const { results, again } = await run(threads, batch);
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
