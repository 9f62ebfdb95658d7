// States that stay in one executable's memory, and what others see of them.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import { add, multiply, trace } from "@fewnorm/tensor";
import test from "tape";
import { backendOf } from "../src/gpu-backend.ts";
import { openEngine } from "../src/modes.ts";
import { createResidents } from "../src/resident.ts";
import { setOnHost } from "../src/state.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

const skip = (await whyNoWebGpu()) ?? false;

/** w ← w + x, or w ← w · x. */
const graphOf = (change: typeof add) =>
  trace((builder) => {
    const w = builder.state("w", [3]);
    builder.update("w", change(w, builder.input("x", [3])));
  });

/** The state itself, which no kernel reads, and 2x. */
const evaluation = trace((builder) => {
  builder.output("w", builder.state("w", [3]));
  builder.output("y", multiply(builder.input("x", [3]), 2));
});

for (const [mode, why] of [
  ["cpu", false],
  ["webasm", false],
  ["webgpu", skip],
] as const) {
  test(`executables take turns with a state, ${mode}`, { skip: why }, async (t) => {
    const backend = await createGpuBackend({ mode });
    const state = await backend.createState([{ name: "w", shape: [3] }]);
    const grow = await backend.compile(graphOf(add), state);
    const scale = await backend.compile(graphOf(multiply), state);
    const evaluate = await backend.compile(evaluation, state);
    let expected = 0;
    for (const turn of [1, 2, 3]) {
      await grow.run({ x: [turn, turn, turn] });
      await scale.run({ x: [2, 2, 2] });
      await scale.run({ x: [3, 3, 3] });
      expected = 6 * (expected + turn);
      // Who holds the state gives it up first: what is fed waits for that.
      const x = Float32Array.of(turn, turn, turn);
      const running = evaluate.run({ x });
      x.fill(100);
      const { w, y } = await running;
      t.deepEqual([...(w?.data ?? [])], [expected, expected, expected], `turn ${turn}: the state`);
      t.deepEqual([...(y?.data ?? [])], [2 * turn, 2 * turn, 2 * turn], "what was fed");
      t.equal((await state.read("w")).data[1], expected, "read");
    }
    await backend.dispose();
  });
}

test("what is written while others are held is not undone by reading those", async (t) => {
  const backend = await createGpuBackend({ mode: "webasm" });
  const names = ["a", "b"];
  const state = await backend.createState(names.map((name) => ({ name, shape: [2] })));
  const executable = await backend.compile(
    trace((builder) => {
      for (const name of names) builder.update(name, add(builder.state(name, [2]), 1));
    }),
    state,
  );
  for (let i = 0; i < 3; i++) await executable.run();
  await state.write("a", [10, 20]);
  t.deepEqual([...(await state.read("b")).data], [3, 3]);
  t.deepEqual([...(await state.read("a")).data], [10, 20], "as written");
  await executable.run();
  t.deepEqual([...(await state.read("a")).data], [11, 21], "and run on");
  await backend.dispose();
});

test("a state that nobody changes is brought to the device once", (t) => {
  const writes: number[] = [];
  const memory = {
    write: (argument: number) => writes.push(argument),
    carry() {},
    read: async () => [],
    spoil() {},
    free() {},
  };
  const newValue = () => ({
    shape: [1],
    values: Float32Array.of(1),
    holder: undefined,
    version: 0,
  });
  const [kept, updated] = [newValue(), newValue()];
  const states = [
    { value: kept, argument: 0, next: undefined },
    { value: updated, argument: 1, next: { result: 0, offset: 0 } },
  ];
  const residents = createResidents(memory, states, new Set(), (error) => error as Error);
  for (let run = 0; run < 3; run++) {
    residents.update();
    residents.carry();
  }
  t.deepEqual(writes, [0, 1]);
  setOnHost(kept, Float32Array.of(2));
  residents.update();
  t.deepEqual(writes, [0, 1, 0], "written on the host, again");
  t.end();
});

test("an executable tells how it ran, and refuses to run elsewhere", async (t) => {
  const engine = await openEngine("cpu");
  for (const mode of ["cpu", "webgl2"] as const) {
    const backend = backendOf({ ...engine, mode });
    const state = await backend.createState([{ name: "w", shape: [3] }]);
    const executable = await backend.compile(evaluation, state);
    const failure = await executable.run({ x: [1, 2, 3] }).then(() => "none", String);
    t.match(failure, mode === "cpu" ? /^none$/ : /^Error: run: .*it ran on cpu instead: /);
    const { executorKind, backend: ran, fallbackReason } = executable;
    const told = mode === "cpu" ? ["generic", "cpu", "string"] : Array(3).fill(undefined);
    t.deepEqual([executorKind, ran, fallbackReason && typeof fallbackReason], told, mode);
    await executable.dispose();
  }
  await engine.close();
});
