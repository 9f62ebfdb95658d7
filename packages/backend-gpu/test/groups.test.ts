// Which small results one kernel computes together.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import { add, type Graph, multiply, sizeOf, type Tensor, trace } from "@fewnorm/tensor";
import test from "tape";
import type { GpuInstance } from "../src/gpu-js.ts";
import { createPlanPipeline } from "../src/pipeline.ts";
import { type Plan, plan } from "../src/plan.ts";
import { plainSizes } from "../src/sizes.ts";
import { stepOf } from "./training.ts";

const planned = (graph: Graph, mostThreads = 2 ** 17): Plan =>
  plan(graph, {
    layout: "grid",
    indices: "float",
    sizes: plainSizes,
    mostThreads,
    mostRepeats: 0,
    mostArrays: 7,
  });

/** Twice every state. */
const doubled = (states: number): Graph =>
  trace((builder) => {
    for (let i = 0; i < states; i++) {
      builder.update(`s${i}`, multiply(builder.state(`s${i}`, [i + 1]), 2));
    }
  });

test("small kernels that do not need each other are one on a GPU, as far as arrays go", (t) => {
  const { kernels, places } = planned(doubled(7));
  t.deepEqual(
    kernels.map(({ threads }) => threads),
    [[1 + 2 + 3 + 4 + 5 + 6 + 7]],
  );
  t.deepEqual(
    [...places.values()].map(({ offset }) => offset),
    [0, 1, 3, 6, 10, 15, 21],
  );
  t.equal(planned(doubled(8)).kernels.length, 2, "a kernel reads seven arrays");
  t.equal(
    planned(doubled(7), 6).kernels.length,
    5,
    "three of 6 elements together, the others apart",
  );
  t.equal(planned(doubled(7), 0).kernels.length, 7, "not where none may be");
  t.end();
});

test("on webasm only tiny results are computed together", async (t) => {
  const backend = await createGpuBackend({ mode: "webasm" });
  for (const [elements, kernels] of [
    [500, 1],
    [600, 2],
  ] as const) {
    const names = ["a", "b"];
    const graph = trace((builder) => {
      for (const name of names) builder.update(name, multiply(builder.state(name, [elements]), 2));
    });
    const state = await backend.createState(names.map((name) => ({ name, shape: [elements] })));
    const executable = await backend.compile(graph, state);
    t.equal(executable.kernels, kernels, `${elements} elements each`);
  }
  await backend.dispose();
  t.end();
});

test("a single element behind others is read by its number", (t) => {
  const graph = trace((builder) => {
    const [a, b] = [builder.state("a", [2]), builder.state("b", [1])].map((x) => multiply(x, 2));
    builder.update("a", a as Tensor);
    builder.update("b", b as Tensor);
    builder.state("c", [2]);
    builder.update("c", add(a as Tensor, b as Tensor));
  });
  const [first, second] = planned(graph).kernels;
  t.equal(first?.results.length, 2);
  // WebGL does not take the sum of two literals.
  t.match(second?.source ?? "", /a\d+\[2\]/);
  t.end();
});

test("what is fetched, and what is large, has a kernel of its own", (t) => {
  const graph = trace((builder) => {
    const [a, b] = [builder.state("a", [4]), builder.state("b", [4])];
    const large = builder.state("large", [2 ** 17 + 1]);
    builder.output("fetched", multiply(a, 3));
    for (const [name, of] of Object.entries({ a, b, large })) builder.update(name, add(of, 1));
  });
  t.deepEqual(
    planned(graph)
      .kernels.map(({ results }) => results.length)
      .sort(),
    [1, 1, 2],
  );
  t.end();
});

test("a whole step: inputs precede their uses, and nothing is computed twice or not at all", (t) => {
  for (const norm of ["bn", "bs:4"]) {
    const graph = stepOf(norm);
    for (const mostThreads of [2 ** 17, 0]) {
      const { kernels, arguments: given, places, results } = planned(graph, mostThreads);
      const there = new Set(given);
      let tooEarly = 0;
      for (const kernel of kernels) {
        tooEarly += kernel.inputs.filter((of) => !there.has(of)).length;
        there.add(kernel.results[0]);
      }
      t.equal(tooEarly, 0, `${norm}, ${mostThreads} threads: order`);
      const computed = kernels.flatMap((kernel) => kernel.results);
      t.equal(new Set(computed).size, computed.length, "none twice");
      const ends = Object.values(graph.updates).map((id) => results[id]);
      t.ok(
        ends.every((of) => of !== undefined && places.has(of)),
        "all there",
      );
      t.ok(
        kernels.every(({ inputs }) => inputs.length <= 7),
        "few arrays",
      );
    }
  }
  t.end();
});

test("a kernel of gpu.js is always given arguments of the same kinds and sizes, as WebGL needs it", (t) => {
  const made = planned(stepOf("vdn:4"));
  const kinds: Set<string>[] = [];
  // Stands in for gpu.js: arrays are named by their sizes, or that they were given and how many elements.
  const gpu = {
    createKernel(_: string, { output }: { output: readonly number[] }) {
      const own = new Set<string>();
      kinds.push(own);
      return (...given: readonly string[]) => {
        own.add(given.join());
        return `of ${output}`;
      };
    },
    createPipeline: (body: (...given: readonly string[]) => unknown) =>
      body(...made.arguments.map(({ shape }) => `given ${sizeOf(shape)}`)),
  };
  createPlanPipeline(gpu as unknown as GpuInstance, made, []);
  t.ok(kinds.length > 50 && kinds.length < made.kernels.length, `${kinds.length} kernels`);
  t.deepEqual(
    kinds.filter(({ size }) => size !== 1),
    [],
  );
  t.end();
});
