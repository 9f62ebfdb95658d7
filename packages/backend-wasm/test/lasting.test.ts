// What no run changes stays in the workspace from run to run, packed weights above all: never for longer than they stay
// as they are, and never where the next run needs it elsewhere.

import { createLifetime, createQueue, type Executable } from "@fewnorm/backend";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  add,
  conv2d,
  type Graph,
  grad,
  joinRows,
  key,
  multiply,
  normal,
  relu,
  sum,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { HEAP_BASE } from "../src/engine/control.ts";
import { createHeap } from "../src/engine/heap.ts";
import { createExecutable, type EngineContext } from "../src/executable.ts";
import { createEngineState } from "../src/state.ts";

const [x, w] = [normal(key(1), 2 * 8 * 64), normal(key(2), 16 * 8 * 9)];
const other = normal(key(3), 16 * 8 * 9);

/** L = Σ (x ∗ w)² at stride 1 and at stride 8, and with `train` also w ← w + 1e-4·∂L/∂w. */
const graphOf = (train: boolean): Graph =>
  trace((builder) => {
    const weights = builder.state("w", [16, 8, 3, 3]);
    const images = builder.input("x", [2, 8, 8, 8]);
    const y = conv2d(images, weights, { padding: 1 });
    const coarse = conv2d(images, weights, { stride: 8 });
    const loss = add(sum(multiply(y, y)), sum(multiply(coarse, coarse)));
    builder.output("loss", loss);
    if (!train) return;
    const [dw] = grad(loss, [weights]);
    if (dw !== undefined) builder.update("w", add(weights, multiply(dw, 1e-4)));
  });

for (const threads of [1, 2]) {
  test(`packed weights follow the state, ${threads} threads`, async (t) => {
    const backend = await createWasmBackend({ threads });
    const state = await backend.createState([{ name: "w", shape: [16, 8, 3, 3] }]);
    const run = async (executable: Executable) => (await executable.run({ x })).loss?.data[0];
    const evaluation = await backend.compile(graphOf(false), state);
    /** What an executable finds that has kept nothing. */
    const fresh = async () => {
      const executable = await backend.compile(graphOf(false), state);
      const loss = await run(executable);
      await executable.dispose();
      return loss;
    };
    await state.write("w", w);
    const first = await run(evaluation);
    t.ok((first as number) > 0);
    t.equal(await run(evaluation), first, "again");
    await state.write("w", other);
    const second = await run(evaluation);
    t.notEqual(second, first, "after a write");
    t.equal(second, await fresh());
    t.equal(await run(evaluation), second, "after another executable has had the workspace");

    const training = await backend.compile(graphOf(true), state);
    t.equal(await run(training), second);
    const third = await run(evaluation);
    t.notEqual(third, second, "after an update");
    t.equal(third, await fresh());

    await run(evaluation);
    const large = await backend.compile(
      trace((builder) => {
        const image = builder.input("x", [2 ** 22]);
        builder.output("y", multiply(image, image));
      }),
    );
    t.equal(await run(evaluation), third, "after the workspace has moved");
    await run(evaluation);
    await evaluation.profile?.({ x });
    t.equal(await run(evaluation), third, "after a profile");
    await large.dispose();
    await backend.dispose();
  });
}

test("a join's part that no run changes lies where each run lets its rows begin", async (t) => {
  const [all, few] = [5, 2];
  const backend = await createWasmBackend({ threads: 1 });
  const state = await backend.createState([{ name: "few", shape: [few, 1] }]);
  await state.write("few", [1, 2]);
  const executable = await backend.compile(
    trace((builder) => {
      const start = builder.input("start", [1], "int32");
      const ring = (offset: number, count: number) => ({ base: 0, modulo: all, offset, count });
      const parts = [
        { part: relu(builder.state("few", [few, 1])), start, range: ring(0, few) },
        { part: relu(builder.input("rest", [3, 1])), start, range: ring(few, all - few) },
      ];
      builder.output("joined", joinRows(parts));
    }),
    state,
  );
  for (const start of [0, 4, 3]) {
    const { joined } = await executable.run({ start: [start], rest: [3, 4, 5] });
    const expected = Array.from({ length: all }, (_, i) => 1 + ((i - start + all) % all));
    t.deepEqual(Array.from(joined?.data ?? []), expected, `from row ${start}`);
  }
  await backend.dispose();
  t.end();
});

test("packing is left out where weights and workspace stay", async (t) => {
  const heap = createHeap(HEAP_BASE, false);
  const firsts: number[] = [];
  const context: EngineContext = {
    heap,
    queue: createQueue(),
    pool: {
      threads: 1,
      async run(_, from) {
        firsts.push(from);
      },
      dispose: async () => {},
    },
    lifetime: createLifetime("the backend", "create another"),
    workspace: { user: undefined, address: heap.allocate(2 ** 20), reserve() {} },
  };
  const state = createEngineState(context, [{ name: "w", shape: [16, 8, 3, 3] }]);
  const evaluation = createExecutable(context, graphOf(false), state);
  const training = createExecutable(context, graphOf(true), state);
  const packs = 2; // one for each of the two convolutions, which take different kernels
  const twin = createExecutable(context, graphOf(false), state);
  for (const [what, run, from] of [
    ["at first", () => evaluation.run({ x }), 0],
    ["then", () => evaluation.run({ x }), packs],
    ["again", () => evaluation.run({ x }), packs],
    ["in an executable of the same graph", () => twin.run({ x }), 0],
    ["when that has had the workspace", () => evaluation.run({ x }), 0],
    ["after a write", () => state.write("w", w).then(() => evaluation.run({ x })), 0],
    ["then", () => evaluation.run({ x }), packs],
    ["a training step", () => training.run({ x }), 0],
    ["and another", () => training.run({ x }), 0],
  ] as const) {
    await run();
    t.equal(firsts.at(-1), from, what);
  }
});
