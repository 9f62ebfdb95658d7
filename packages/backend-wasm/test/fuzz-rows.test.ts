// Random element-wise graphs over rows that are taken apart, changed and joined again: what is computed in place
// must not be needed any more. Against the reference, whose values never share memory.

import type { Backend } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  add,
  foldIn,
  type Graph,
  joinRows,
  type Key,
  key,
  multiply,
  randomInteger,
  relu,
  rows,
  subtract,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";

const ROWS = 12;
/** Even the few rows of a part are enough for the planner to divide them between threads. */
const COLUMNS = 2048;
const ring = (offset: number, count: number) => ({ base: 0, modulo: ROWS, offset, count });
const FEW = ring(0, 3);
const REST = ring(3, 9);

const STEPS = 10;

/** Values of one kind (whole, few rows, the rest) with the index of the start that they belong to. */
interface Pool {
  readonly tensors: Tensor[];
  readonly starts: number[];
}

function randomGraph(from: Key): Graph {
  let draws = 0;
  const pick = (count: number) => randomInteger(foldIn(from, draws++), count);
  return trace((builder) => {
    const starts = builder.input("starts", [2], "int32");
    const whole = [builder.input("x", [ROWS, COLUMNS]), builder.input("y", [ROWS, COLUMNS])];
    const few: Pool = { tensors: [], starts: [] };
    const rest: Pool = { tensors: [], starts: [] };
    // Recent values are taken most often, so that many die early.
    const recent = (count: number) => Math.max(0, count - 1 - Math.min(pick(3), pick(4)));
    const put = (pool: Pool, tensor: Tensor, start: number) => {
      pool.tensors.push(tensor);
      pool.starts.push(start);
    };
    const change = (a: Tensor, b: Tensor) =>
      [() => relu(a), () => add(a, b), () => subtract(a, b), () => multiply(a, b)][pick(4)]?.() ??
      a;
    const takeApart = () => {
      const [tensor, index] = [whole[recent(whole.length)] as Tensor, pick(2)];
      put(few, rows(tensor, starts, { range: FEW, index }), index);
      put(rest, rows(tensor, starts, { range: REST, index }), index);
    };
    const changePart = (pool: Pool) => {
      const [i, j] = [recent(pool.tensors.length), recent(pool.tensors.length)];
      put(pool, change(pool.tensors[i] as Tensor, pool.tensors[j] as Tensor), pool.starts[i] ?? 0);
    };
    const join = () => {
      const at = recent(few.tensors.length);
      const index = few.starts[at] as number;
      const other = rest.starts.lastIndexOf(index);
      if (other < 0) return;
      const parts = [few.tensors[at] as Tensor, rest.tensors[other] as Tensor] as const;
      whole.push(
        joinRows([
          { part: parts[0], start: starts, index, range: FEW },
          { part: parts[1], start: starts, index, range: REST },
        ]),
      );
    };
    /** Takes apart, changes both parts and joins them: it may all be done in the memory of the first. */
    const roundTrip = () => {
      takeApart();
      for (const pool of pick(2) === 0 ? [few, rest] : [rest, few]) {
        const i = pool.tensors.length - 1;
        const a = pool.tensors[i] as Tensor;
        const b = pick(2) === 0 ? a : (pool.tensors[recent(i + 1)] as Tensor);
        put(pool, change(a, b), pool.starts[i] as number);
      }
      join();
    };
    takeApart();
    for (let step = 0; step < STEPS; step++) {
      const what = pick(8);
      if (what === 0) takeApart();
      else if (what >= 6) roundTrip();
      else if (what === 1) changePart(few);
      else if (what <= 3) changePart(rest);
      else if (what === 4) join();
      else whole.push(change(whole.at(-1) as Tensor, whole[recent(whole.length)] as Tensor));
    }
    join();
    for (const [name, { tensors }] of Object.entries({ few, rest, whole: { tensors: whole } })) {
      const last = tensors.at(-1) as Tensor;
      builder.output(name, add(last, last));
    }
  });
}

async function evaluate(backend: Backend, graph: Graph, starts: Int32Array) {
  const values = (step: number) =>
    Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => ((i * step) % 7) - 3);
  const executable = await backend.compile(graph);
  const feeds = Object.fromEntries(
    Object.keys(graph.inputs).map((name) => [
      name,
      name === "starts" ? starts : values(name === "x" ? 5 : 11),
    ]),
  );
  const results = await executable.run(feeds);
  await executable.dispose();
  return results;
}

const COUNT = 150;

test(`${COUNT} random graphs over rows`, async (t) => {
  const reference = await createReferenceBackend({ precision: "float32" });
  const engines = [
    await createWasmBackend({ threads: 1 }),
    await createWasmBackend({ threads: 2 }),
    await createWasmBackend({ threads: 3 }),
  ];
  for (let i = 0; i < COUNT; i++) {
    const graph = randomGraph(foldIn(key(3), i));
    const starts = Int32Array.of(i % ROWS, (5 * i + 2) % ROWS);
    const expected = await evaluate(reference, graph, starts);
    const engine = engines[i % engines.length] as Backend;
    const actual = await evaluate(engine, graph, starts);
    const wrong = Object.entries(expected).filter(([name, { data }]) => {
      const found = actual[name]?.data ?? [];
      return Array.from(data).some((value, at) => !Object.is(value + 0, (found[at] ?? 0) + 0));
    });
    t.deepEqual(
      wrong.map(([name]) => name),
      [],
      `${engine.description}: graph ${i}`,
    );
  }
  for (const backend of [reference, ...engines]) await backend.dispose();
  t.end();
});
