// Cases of the contract: feeds and results.

import {
  add,
  type HostValue,
  multiply,
  relu,
  reshape,
  rows,
  softmaxCrossEntropy,
  subtract,
  toNdArray,
  trace,
  type Values,
} from "@fewnorm/tensor";
import ndarray, { type NdArray } from "ndarray";
import type { Feeds } from "../backend.ts";
import { rowMajor } from "./comparison.ts";
import {
  accumulating,
  type ContractCase,
  countTo,
  equalValues,
  rejects,
} from "./contract-checks.ts";

export const runContract: readonly ContractCase[] = [
  {
    name: "wrong feeds are errors that change nothing",
    async check(t, backend) {
      const graph = trace((builder) => {
        const [x, w] = [builder.input("x", [2, 3]), builder.state("w", [2, 3])];
        const start = builder.input("start", [1], "int32");
        const part = rows(x, start, { range: { base: 0, modulo: 2, offset: 0, count: 1 } });
        builder.output("part", part);
        builder.update("w", add(w, x));
      });
      const state = await backend.createState([{ name: "w", shape: [2, 3] }]);
      await state.write("w", countTo(6));
      const executable = await backend.compile(graph, state);
      const [x, start] = [countTo(6), [1]];
      const bad: readonly (readonly [string, Feeds, typeof Error, RegExp])[] = [
        ["nothing fed", {}, Error, /run.*"(x|start)"/],
        ["a missing feed", { start }, Error, /run.*"x"/],
        ["an unknown feed", { x, start, z: [1] }, Error, /run.*"z"/],
        ["too few values", { x: countTo(5), start }, RangeError, /"x".*5/],
        ["too many values", { x: countTo(12), start }, RangeError, /"x".*12/],
        ["another shape", { x: toNdArray(x, [3, 2]), start }, RangeError, /"x".*\[3, 2\]/],
        ["a fraction for an int32", { x, start: [0.5] }, TypeError, /"start".*0\.5/],
      ];
      for (const [what, feeds, kind, words] of bad) {
        await rejects(t, () => executable.run(feeds), kind, words, what);
        equalValues(t, await state.read("w"), countTo(6), `${what}: the state is as before`);
      }
      const { part } = await executable.run({ x, start });
      equalValues(t, part as NdArray<Values>, [4, 5, 6], "a right run afterwards");
    },
  },
  {
    name: "feeds are the caller's to change once they are given",
    async check(t, backend) {
      const graph = trace((builder) => {
        const x = builder.input("x", [3]);
        builder.output("x", x);
        builder.output("twice", multiply(x, 2));
        builder.state("w", [3]);
        builder.update("w", x);
      });
      const state = await backend.createState([{ name: "w", shape: [3] }]);
      const executable = await backend.compile(graph, state);
      for (const what of ["the first run", "the second run"]) {
        const x = Float32Array.from(countTo(3));
        const running = executable.run({ x });
        x.fill(100);
        const fetches = await running;
        equalValues(t, fetches.x as NdArray<Values>, [1, 2, 3], `${what}: as a result`);
        equalValues(t, fetches.twice as NdArray<Values>, [2, 4, 6], `${what}: as an operand`);
        equalValues(t, await state.read("w"), [1, 2, 3], `${what}: as a state`);
      }
    },
  },
  {
    name: "names may be those of every object's own",
    async check(t, backend) {
      const names = ["__proto__", "constructor", "toString"];
      const graph = trace((builder) => {
        for (const name of names) builder.output(name, multiply(builder.input(name, [2]), 2));
      });
      const executable = await backend.compile(graph);
      const feeds = Object.fromEntries(names.map((name, i) => [name, [i, 1]]));
      const fetches = await executable.run(feeds);
      t.ok(Object.keys(fetches).length === names.length, "all are fetched");
      for (const [i, name] of names.entries()) {
        const found = Object.entries(fetches).find(([other]) => other === name)?.[1];
        equalValues(t, found as NdArray<Values>, [2 * i, 2], name);
      }
    },
  },
  {
    name: "a label out of range is an error that changes nothing",
    async check(t, backend) {
      const graph = trace((builder) => {
        const [w, labels] = [builder.state("w", [2, 3]), builder.input("labels", [2], "int32")];
        builder.output("loss", softmaxCrossEntropy(w, labels));
        builder.update("w", multiply(w, 2));
      });
      const state = await backend.createState([{ name: "w", shape: [2, 3] }]);
      await state.write("w", countTo(6));
      const executable = await backend.compile(graph, state);
      for (const wrong of [3, -1, 1000000]) {
        await rejects(
          t,
          () => executable.run({ labels: [0, wrong] }),
          RangeError,
          /label/,
          `${wrong}`,
        );
        equalValues(t, await state.read("w"), countTo(6), `${wrong}: the state is as before`);
      }
      await executable.run({ labels: [0, 2] });
      equalValues(t, await state.read("w"), [2, 4, 6, 8, 10, 12], "a right run afterwards");
    },
  },
  {
    name: "labels out of range are errors wherever they come from",
    async check(t, backend) {
      const constant = trace((builder) => {
        const labels = builder.constant([0, 3], [2], "int32");
        builder.output("loss", softmaxCrossEntropy(builder.input("x", [2, 3]), labels));
      });
      const compiled = () => backend.compile(constant);
      await rejects(t, compiled, RangeError, /label 3/, "constant labels, when compiled");

      const graph = trace((builder) => {
        const [x, all] = [builder.input("x", [2, 3]), builder.input("labels", [4, 1], "int32")];
        const range = { base: 0, modulo: 4, offset: 1, count: 2 };
        const some = rows(all, builder.input("start", [1], "int32"), { range });
        builder.output("loss", softmaxCrossEntropy(x, reshape(some, [2])));
      });
      const executable = await backend.compile(graph);
      const feeds = { x: new Float32Array(6), labels: [0, 1, 7, 2], start: [0] };
      await rejects(t, () => executable.run(feeds), RangeError, /label 7/, "a row that is taken");
      const { loss } = await executable.run({ ...feeds, start: [-2] });
      const losses = Array.from(rowMajor(loss as NdArray<Values>));
      const near = losses.every((x) => Math.abs(x - Math.log(3)) < 1e-4);
      t.ok(near, "a row that is not taken may hold anything");
    },
  },
  {
    name: "inputs are fed from arrays of every kind, which are neither kept nor changed",
    async check(t, backend) {
      const graph = trace((builder) => {
        builder.output("y", relu(subtract(builder.input("x", [2, 3]), 2)));
      });
      const executable = await backend.compile(graph);
      const given = countTo(6);
      const kinds: readonly HostValue[] = [
        Array.from(given),
        given,
        Float64Array.from(given),
        toNdArray(given, [2, 3]),
        ndarray(Float32Array.of(1, 4, 2, 5, 3, 6), [3, 2]).transpose(1, 0),
        ndarray(Float64Array.of(0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6), [2, 3], [6, 2], 1),
      ];
      for (const x of kinds) {
        const { y } = await executable.run({ x });
        equalValues(t, y as NdArray<Values>, [0, 0, 1, 2, 3, 4], x.constructor.name);
      }
      equalValues(t, toNdArray(given, [6]), countTo(6), "what was fed is as before");
    },
  },
  {
    name: "results are copies that the caller owns",
    async check(t, backend) {
      const graph = trace((builder) => {
        const [x, w] = [builder.input("x", [3]), builder.state("w", [3])];
        const y = multiply(x, 2);
        for (const [name, tensor] of Object.entries({ y, again: y, x, w })) {
          builder.output(name, tensor);
        }
      });
      const state = await backend.createState([{ name: "w", shape: [3] }]);
      await state.write("w", countTo(3));
      const executable = await backend.compile(graph, state);
      const given = countTo(3);
      const first = await executable.run({ x: given });
      const second = await executable.run({ x: [10, 20, 30] });
      equalValues(t, first.y as NdArray<Values>, [2, 4, 6], "kept over the next run");
      equalValues(t, first.x as NdArray<Values>, [1, 2, 3], "an input, kept over the next run");
      second.y?.set(0, -1);
      second.x?.set(0, -1);
      second.w?.set(0, -1);
      equalValues(t, second.again as NdArray<Values>, [20, 40, 60], "the same tensor's other name");
      equalValues(t, toNdArray(given, [3]), countTo(3), "the feed that was an output");
      equalValues(t, await state.read("w"), countTo(3), "the state that was an output");
      const third = await executable.run({ x: given });
      equalValues(t, third.y as NdArray<Values>, [2, 4, 6], "a run after the changes");
      equalValues(t, third.w as NdArray<Values>, [1, 2, 3], "a state after the changes");
    },
  },
  {
    name: "runs that are started together give what they give one after another",
    async check(t, backend) {
      const state = await backend.createState([{ name: "w", shape: [3] }]);
      const step = await backend.compile(accumulating([3]), state);
      const graph = trace((builder) => builder.output("y", relu(builder.input("x", [2, 3]))));
      const other = await backend.compile(graph);
      const x = countTo(3);
      const runs = [
        step.run({ x }),
        other.run({ x: countTo(6) }),
        step.run({ x }),
        other.run({ x: [-1, 7, -2, 8, -3, 9] }),
      ];
      const between = state.read("w");
      const last = step.run({ x });
      x.fill(100);
      const writing = state.write("w", x);
      x.fill(200);
      const results = await Promise.all([...runs, last]);
      const expected = [
        [1, 2, 3],
        [1, 2, 3, 4, 5, 6],
        [2, 4, 6],
        [0, 7, 0, 8, 0, 9],
        [3, 6, 9],
      ];
      for (const [i, { y }] of results.entries()) {
        equalValues(t, y as NdArray<Values>, expected[i] as number[], `run ${i}`);
      }
      equalValues(t, await between, [2, 4, 6], "a state, read between runs");
      await writing;
      equalValues(t, await state.read("w"), [100, 100, 100], "a state, written between runs");
    },
  },
];
