// What the reference backend does besides computing primitives: inputs, states, precision, errors.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { broadcast, type Graph, row, trace } from "@fewnorm/tensor";
import test from "tape";

test("input and state as given", async (t) => {
  const backend = createReferenceBackend();
  const graph = trace((builder) => {
    builder.output("x", builder.input("x", [3]));
    builder.output("w", builder.state("w", [2]));
    builder.output("i", builder.input("i", [2], "int32"));
  });
  const state = await backend.createState([{ name: "w", shape: [2] }]);
  await state.write("w", [0.1, 0.2]);
  const { x, w, i } = await (await backend.compile(graph, state)).run({
    x: [1, 2, 0.3],
    i: [4, -5],
  });
  t.deepEqual(x?.data, Float64Array.of(1, 2, 0.3));
  t.deepEqual(w?.data, Float64Array.of(0.1, 0.2));
  t.deepEqual(i?.data, Int32Array.of(4, -5));
  await backend.dispose();
});

test("float32 rounds every result, float64 none", async (t) => {
  const graph = trace((builder) => {
    const x = builder.input("x", [1]);
    builder.output("y", builder.append("add", [builder.append("multiply", [x, x], {}), x], {}));
  });
  const x = 1 + 2 ** -20;
  for (const precision of ["float32", "float64"] as const) {
    const backend = createReferenceBackend({ precision });
    const { y } = await (await backend.compile(graph)).run({ x: [x] });
    const round = precision === "float32" ? Math.fround : (value: number) => value;
    t.equal(y?.get(0), round(round(x * x) + x), precision);
    await backend.dispose();
  }
});

test("errors of the reference alone", async (t) => {
  t.throws(
    () => createReferenceBackend({ precision: "float16" as "float32" }),
    /createReferenceBackend: precision is float16; give "float32" or "float64"/,
  );
  const [one, two] = [createReferenceBackend(), createReferenceBackend()];
  const state = await one.createState([]);
  const graph = trace((builder) => builder.output("y", builder.constant(1)));
  try {
    await two.compile(graph, state);
    t.fail("a state of another backend must be refused");
  } catch (error) {
    t.match(String(error), /compile: the state .* belongs to another backend/);
  }
  await one.dispose();
  await two.dispose();
});

test("a tensor that is too large is named, with its layer where it has one", async (t) => {
  const backend = createReferenceBackend();
  const large = trace((builder) => {
    const x = builder.input("x", [2 ** 14]);
    const y = builder.labelled("fc", () => broadcast(x, [2 ** 15, 2 ** 14]));
    builder.output("y", row(y, 0));
  });
  const input = trace((builder) => builder.output("x", builder.input("x", [2 ** 29])));
  const bytes =
    "needs 4294967296 bytes; the limit of reference (TypeScript, float64) is 2147483648; use a smaller batch or model, or a backend without that limit";
  const said = (graph: Graph) => backend.compile(graph).then(String, String);
  t.equal(
    await said(large),
    `Error: compile: broadcast of layer "fc": a tensor [32768, 16384] ${bytes}`,
  );
  t.equal(await said(input), `Error: compile: input: a tensor [536870912] ${bytes}`);
  await backend.dispose();
});
