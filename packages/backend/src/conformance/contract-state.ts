// Cases of the contract: what a backend says of itself, and named values that live on it.

import {
  type HostValue,
  key,
  multiply,
  normal,
  type Shape,
  sizeOf,
  toNdArray,
  trace,
  type Values,
} from "@fewnorm/tensor";
import ndarray, { type NdArray } from "ndarray";
import {
  accumulating,
  type ContractCase,
  countTo,
  equalValues,
  rejects,
} from "./contract-checks.ts";

export const stateContract: readonly ContractCase[] = [
  {
    name: "describes itself",
    async check(t, { name, description, precision, limits }) {
      t.ok(/^[a-z][a-z0-9-]*$/.test(name), `the name is a short word: ${name}`);
      t.ok(description.length > 0, `there is a description: ${description}`);
      t.ok(precision === "float32" || precision === "float64", `precision: ${precision}`);
      t.ok(limits.maxTensorBytes >= 2 ** 24, `tensors of ${limits.maxTensorBytes} bytes`);
      t.ok(Number.isInteger(limits.threads) && limits.threads >= 1, `${limits.threads} threads`);
    },
  },
  {
    name: "a tensor beyond the limit is refused, in a state and in a graph",
    async check(t, backend) {
      const most = backend.limits.maxTensorBytes;
      const shape: Shape = [Math.floor(most / 4) + 1];
      const message = new RegExp(`needs \\d+ bytes; the limit of .* is ${most}; use a smaller`);
      const states = () => backend.createState([{ name: "w", shape }]);
      await rejects(t, states, Error, message, "a state");
      const graph = trace((builder) => builder.output("y", multiply(builder.input("x", shape), 2)));
      await rejects(t, () => backend.compile(graph), Error, message, "an input");
    },
  },
  {
    name: "state is zero at first and read back as written, in any shape",
    async check(t, backend) {
      const shapes: readonly Shape[] = [[], [1], [5], [3, 4], [2, 3, 4, 5], [17, 1, 3, 3]];
      const state = await backend.createState(
        shapes.map((shape) => ({ name: `s ${shape}`, shape })),
      );
      for (const shape of shapes) {
        const values = Float32Array.from(normal(key(3), sizeOf(shape)));
        const zero = await state.read(`s ${shape}`);
        equalValues(t, zero, new Float32Array(values.length), `[${shape}] is zero`);
        await state.write(`s ${shape}`, values);
      }
      for (const shape of shapes) {
        const read = await state.read(`s ${shape}`);
        t.ok(String(read.shape) === String(shape), `[${shape}] is read as [${read.shape}]`);
        equalValues(t, read, Float32Array.from(normal(key(3), sizeOf(shape))), `[${shape}]`);
      }
    },
  },
  {
    name: "state is written from arrays of every kind",
    async check(t, backend) {
      const state = await backend.createState([{ name: "w", shape: [2, 3] }]);
      const kinds: Readonly<Record<string, HostValue>> = {
        "plain array": [1, 2, 3, 4, 5, 6],
        Float32Array: countTo(6),
        Float64Array: Float64Array.from(countTo(6)),
        Int32Array: Int32Array.from(countTo(6)),
        ndarray: toNdArray(countTo(6), [2, 3]),
        "transposed ndarray": ndarray(Float32Array.of(1, 4, 2, 5, 3, 6), [3, 2]).transpose(1, 0),
        "ndarray with offset": ndarray(
          Float32Array.of(9, 9, 1, 2, 3, 4, 5, 6, 9),
          [2, 3],
          [3, 1],
          2,
        ),
        "reversed ndarray": ndarray(countTo(6).reverse(), [2, 3]).step(-1, -1),
      };
      for (const [kind, value] of Object.entries(kinds)) {
        await state.write("w", new Float32Array(6));
        await state.write("w", value);
        equalValues(t, await state.read("w"), countTo(6), kind);
      }
    },
  },
  {
    name: "state is copied in and out",
    async check(t, backend) {
      const state = await backend.createState([{ name: "w", shape: [3] }]);
      const given = countTo(3);
      await state.write("w", given);
      given.fill(9);
      const read = await state.read("w");
      equalValues(t, read, [1, 2, 3], "a change of what was written does not show");
      read.set(0, 9);
      equalValues(t, await state.read("w"), [1, 2, 3], "a change of what was read does not show");
    },
  },
  {
    name: "unknown states and wrong shapes are errors that change nothing",
    async check(t, backend) {
      const state = await backend.createState([{ name: "w", shape: [2, 3] }]);
      await state.write("w", countTo(6));
      await rejects(t, () => state.read("v"), Error, /read.*"v"/, "reading an unknown state");
      await rejects(
        t,
        () => state.write("v", [1]),
        Error,
        /write.*"v"/,
        "writing an unknown state",
      );
      await rejects(t, () => state.write("w", countTo(5)), RangeError, /"w".*5/, "too few values");
      await rejects(t, () => state.write("w", countTo(7)), RangeError, /"w".*7/, "too many values");
      const turned = toNdArray(countTo(6), [3, 2]);
      await rejects(t, () => state.write("w", turned), RangeError, /"w".*\[3, 2\]/, "other shape");
      equalValues(t, await state.read("w"), countTo(6), "the value is as before");
      for (const shape of [[0], [-1], [1.5], [Number.NaN]]) {
        const create = () => backend.createState([{ name: "w", shape }]);
        await rejects(t, create, RangeError, /createState: "w"/, `a state of [${shape}]`);
      }
      const twice = [1, 2].map((n) => ({ name: "w", shape: [n] }));
      await rejects(t, () => backend.createState(twice), Error, /"w"/, "a name that occurs twice");
    },
  },
  {
    name: "a graph that does not fit its state is refused",
    async check(t, backend) {
      const graph = accumulating([2, 3]);
      const other = await backend.createState([{ name: "w", shape: [3, 2] }]);
      const none = await backend.createState([]);
      await rejects(t, () => backend.compile(graph), Error, /compile.*"w"/, "no state");
      await rejects(
        t,
        () => backend.compile(graph, none),
        Error,
        /compile.*"w"/,
        "state is missing",
      );
      await rejects(t, () => backend.compile(graph, other), Error, /"w".*\[3, 2\]/, "other shape");
      const replacing = trace((builder) => {
        builder.state("w", [2]);
        builder.update("w", builder.input("x", [2]));
      });
      await rejects(
        t,
        () => backend.compile(replacing, none),
        Error,
        /"w"/,
        "only updated, missing",
      );
      await rejects(
        t,
        () => backend.compile(replacing, other),
        Error,
        /"w"/,
        "only updated, shape",
      );
    },
  },
  {
    name: "executables share their state, and states are apart from each other",
    async check(t, backend) {
      const spec = [{ name: "w", shape: [3] }];
      const [one, two] = [await backend.createState(spec), await backend.createState(spec)];
      await two.write("w", [100, 100, 100]);
      const reading = trace((builder) => builder.output("w", multiply(builder.state("w", [3]), 1)));
      const step = await backend.compile(accumulating([3]), one);
      const evaluate = await backend.compile(reading, one);
      const apart = await backend.compile(reading, two);
      await step.run({ x: [1, 2, 3] });
      await step.run({ x: [1, 2, 3] });
      equalValues(t, (await evaluate.run()).w as NdArray<Values>, [2, 4, 6], "shared");
      equalValues(t, (await apart.run()).w as NdArray<Values>, [100, 100, 100], "apart");
      await one.write("w", [5, 5, 5]);
      equalValues(
        t,
        (await evaluate.run()).w as NdArray<Values>,
        [5, 5, 5],
        "written between runs",
      );
      const { y } = await step.run({ x: [1, 2, 3] });
      equalValues(t, y as NdArray<Values>, [6, 7, 8], "outputs come from the old values");
      equalValues(t, await one.read("w"), [6, 7, 8], "and updates are read back");
      await step.dispose();
      equalValues(t, (await evaluate.run()).w as NdArray<Values>, [6, 7, 8], "disposing one");
    },
  },
];
