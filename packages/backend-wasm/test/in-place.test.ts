// Values that share memory with others, or with a state, and must not be changed before these are needed no more. Against
// the reference in float64, in two runs.

import type { Backend, Feeds, Fetches } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  type Builder,
  broadcast,
  conv2d,
  joinRows,
  key,
  maxPool,
  multiply,
  normal,
  relu,
  reshape,
  rows,
  sizeOf,
  subtract,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { differences } from "./differences.ts";

const ROWS = 12;
/** Even a part's few rows are enough for the planner to write results over operands. */
const COLUMNS = 2048;
const ring = (offset: number, count: number) => ({ base: 0, modulo: ROWS, offset, count });
const IMAGE = [2, 8, 6, 6] as const;

/** All rows, taken apart, changed and joined again. */
const joinedRows = (all: Tensor, start: Tensor, change: (part: Tensor) => Tensor): Tensor =>
  joinRows(
    [ring(0, 3), ring(3, 9)].map((range) => {
      return { start, range, part: change(rows(all, start, { range })) };
    }),
  );

/** What each graph fetches, and how it updates states: `s` of rows, `x` and `w` of a convolution, `scale` of w. */
const cases: Record<string, (builder: Builder, states: Record<string, Tensor>) => Tensor> = {
  "a state whose next value needs neighbours of each element": (builder, { x }) => {
    const before = relu(x as Tensor);
    builder.update("x", maxPool(x as Tensor, { kernel: 3, stride: 1, padding: 1 }));
    return before;
  },
  "a state whose rows are turned round in another shape": (builder, { s, start }) => {
    const turned = rows(reshape(s as Tensor, [ROWS, 64, 32]), start as Tensor, {
      range: ring(0, 12),
    });
    const next = relu(reshape(turned, [ROWS, COLUMNS]));
    builder.update("s", next);
    return relu(next);
  },
  "factors of weights that change before the convolution": (builder, { x, w, scale }) => {
    const product = multiply(w as Tensor, reshape(scale as Tensor, [8, 1, 1, 1]));
    builder.update("scale", multiply(scale as Tensor, 0.5));
    return conv2d(x as Tensor, product, { padding: 1 });
  },
  "weights with factors that change before the convolution": (builder, { x, w, scale }) => {
    const product = multiply(w as Tensor, reshape(scale as Tensor, [8, 1, 1, 1]));
    builder.update("w", subtract(w as Tensor, 0.5));
    const attributes = { stride: [1, 1], padding: [1, 1], groups: 1, shape: IMAGE } as const;
    return builder.append("conv2dInputGrad", [x as Tensor, product], attributes);
  },
  "a join over what stays from run to run": (_, { kept, start }) =>
    joinedRows(relu(kept as Tensor), start as Tensor, (part) => subtract(part, 1)),
  "a join over a copy in another shape, of other rows": (builder, { s, start }) => {
    builder.update("s", multiply(s as Tensor, 0.5));
    const all = reshape(relu(reshape(s as Tensor, [ROWS, 8, 16, 16])), [ROWS, COLUMNS]);
    const from = rows(all, start as Tensor, { range: ring(0, ROWS) });
    return joinRows([{ start: start as Tensor, range: ring(5, ROWS), part: subtract(from, 1) }]);
  },
  "a join over repeated rows, which turns them round": (builder, { s, start }) => {
    builder.update("s", multiply(s as Tensor, 0.5));
    const all = multiply(broadcast(relu(s as Tensor), [3, ROWS, COLUMNS]), 2);
    const range = { base: 0, modulo: 3, offset: 0, count: 3 };
    return joinRows([{ start: start as Tensor, range, part: all }]);
  },
  "results over what stays from run to run": (_, { kept, start }) =>
    joinedRows(relu(kept as Tensor), start as Tensor, (part) => relu(subtract(part, 1))),
};

const shapes: Record<string, readonly number[]> = {
  s: [ROWS, COLUMNS],
  kept: [ROWS, COLUMNS],
  x: IMAGE,
  w: [8, 8, 3, 3],
  scale: [8],
};

test("what shares memory stays as long as it is needed", async (t) => {
  const reference = await createReferenceBackend();
  const engines = [
    await createWasmBackend({ threads: 1 }),
    await createWasmBackend({ threads: 2 }),
  ];
  for (const [name, record] of Object.entries(cases)) {
    const graph = trace((builder) => {
      const states = Object.entries(shapes).map(([state, shape]) => [
        state,
        builder.state(state, shape),
      ]);
      const start = builder.input("start", [1], "int32");
      builder.output("y", record(builder, { ...Object.fromEntries(states), start }));
    });
    const used = Object.keys({ ...graph.states, ...graph.updates });
    const specs = used.map((state) => ({ name: state, shape: shapes[state] ?? [] }));
    const feeds: Feeds = Object.hasOwn(graph.inputs, "start") ? { start: [7] } : {};
    const run = async (backend: Backend): Promise<Fetches> => {
      const state = await backend.createState(specs);
      for (const { name: of, shape } of specs) await state.write(of, normal(key(1), sizeOf(shape)));
      const executable = await backend.compile(graph, state);
      const results: Fetches = {};
      for (const round of ["first", "second"]) {
        results[round] = (await executable.run(feeds)).y as Fetches[string];
        for (const of of used) results[`${of} after the ${round}`] = await state.read(of);
      }
      return results;
    };
    const expected = await run(reference);
    for (const backend of engines) {
      const actual = await run(backend);
      const wrong = differences(expected, actual, 1e-5);
      t.deepEqual(wrong, [], `${name}, ${backend.description}`);
    }
  }
  for (const backend of [reference, ...engines]) await backend.dispose();
  t.end();
});
