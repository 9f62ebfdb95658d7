// Cases of the contract itself: state, feeds, results, lifetimes.

import {
  add,
  conv2d,
  type HostValue,
  key,
  moments,
  multiply,
  normal,
  relu,
  rows,
  type Shape,
  sizeOf,
  softmaxCrossEntropy,
  subtract,
  sum,
  toNdArray,
  trace,
  type Values,
} from "@fewnorm/tensor";
import ndarray, { type NdArray } from "ndarray";
import type { Backend, Feeds, Fetches } from "../backend.ts";
import { type Assertions, rowMajor, sameBits } from "./comparison.ts";

export interface ContractCase {
  readonly name: string;
  check(t: Assertions, backend: Backend): Promise<void>;
}

/** Asserts that the promise is rejected with this kind of error and that its message says what about. */
async function rejects(
  t: Assertions,
  attempt: () => Promise<unknown>,
  kind: typeof Error | typeof RangeError | typeof TypeError,
  words: RegExp,
  what: string,
): Promise<void> {
  try {
    await attempt();
  } catch (error) {
    const right = error instanceof kind && words.test(error.message);
    t.ok(right, `${what}: ${kind.name} that matches ${words}; it is ${error}`);
    return;
  }
  t.ok(false, `${what}: must be an error`);
}

function equalValues(
  t: Assertions,
  actual: NdArray<Values>,
  expected: ArrayLike<number>,
  what: string,
) {
  const elements = Array.from(rowMajor(actual));
  const equal = elements.length === expected.length && elements.every((x, i) => x === expected[i]);
  t.ok(equal, equal ? what : `${what}: [${elements}], expected [${Array.from(expected)}]`);
}

const countTo = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => i + 1);

/** y = x + w, w ← w + x. */
const accumulating = (shape: Shape) =>
  trace((builder) => {
    const [x, w] = [builder.input("x", shape), builder.state("w", shape)];
    builder.output("y", add(x, w));
    builder.update("w", add(w, x));
  });

/** Something of everything, large enough to be worth dividing among threads. */
const layer = trace((builder) => {
  const x = builder.input("x", [8, 3, 16, 16]);
  const w = builder.state("w", [16, 3, 3, 3]);
  const y = conv2d(x, w, { padding: 1, relu: true });
  const part = rows(y, builder.input("start", [1], "int32"), {
    range: { base: 0, modulo: 8, offset: 0, count: 3 },
  });
  builder.output("statistics", moments(part));
  builder.output("total", sum(y));
  builder.output("y", y);
});

const layerFeeds: Feeds = {
  x: Float32Array.from(normal(key(1), 8 * 3 * 16 * 16)),
  start: [6],
};

async function runLayer(backend: Backend): Promise<Fetches> {
  const state = await backend.createState([{ name: "w", shape: [16, 3, 3, 3] }]);
  await state.write("w", normal(key(2), 16 * 27));
  const executable = await backend.compile(layer, state);
  const result = await executable.run(layerFeeds);
  await executable.dispose();
  await state.dispose();
  return result;
}

export const contractCases: readonly ContractCase[] = [
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
  {
    name: "the same feeds give the same bits, in another executable too",
    async check(t, backend) {
      const results = [await runLayer(backend), await runLayer(backend), await runLayer(backend)];
      const [first] = results as [Fetches];
      for (const result of results) {
        for (const [name, value] of Object.entries(first)) {
          t.ok(sameBits(value, result[name]), `${name} has the same bits`);
        }
      }
    },
  },
  {
    name: "runs do not grow memory",
    async check(t, backend) {
      const state = await backend.createState([{ name: "w", shape: [16, 3, 3, 3] }]);
      const executable = await backend.compile(layer, state);
      t.ok(executable.workspaceBytes > 0, `${executable.workspaceBytes} bytes are planned`);
      const before = await arrayBufferBytes();
      if (before === undefined) {
        t.ok(true, "this platform does not tell how much memory is in use");
        return;
      }
      for (let i = 0; i < 20; i++) await executable.run(layerFeeds);
      const warm = (await arrayBufferBytes()) as number;
      const runs = 200;
      for (let i = 0; i < runs; i++) await executable.run(layerFeeds);
      const growth = ((await arrayBufferBytes()) as number) - warm;
      // A run's results alone are 8·16·16·16 floats. What is garbage may not have been collected yet,
      // but never a third of all that was made.
      const bound = (runs * 4 * 8 * 16 * 16 * 16) / 3;
      t.ok(growth < bound, `${growth} bytes more after ${runs} runs; the bound is ${bound}`);
    },
  },
  {
    name: "dispose: twice is fine, use afterwards is an error",
    async check(t, backend) {
      const state = await backend.createState([{ name: "w", shape: [3] }]);
      const executable = await backend.compile(accumulating([3]), state);
      const other = await backend.compile(accumulating([3]), state);
      const feeds = { x: [1, 2, 3] };
      await executable.dispose();
      await executable.dispose();
      await rejects(
        t,
        () => executable.run(feeds),
        Error,
        /dispose/,
        "run of a disposed executable",
      );
      await other.run(feeds);
      equalValues(t, await state.read("w"), [1, 2, 3], "another executable still runs");
      await state.dispose();
      await state.dispose();
      await rejects(t, () => state.read("w"), Error, /dispose/, "read of a disposed state");
      await rejects(t, () => state.write("w", [1, 2, 3]), Error, /dispose/, "write to it");
      await rejects(t, () => other.run(feeds), Error, /dispose/, "run with it");
      const graph = accumulating([3]);
      await rejects(t, () => backend.compile(graph, state), Error, /dispose/, "compile with it");
    },
  },
  {
    name: "dispose of the backend ends what it made",
    async check(t, backend) {
      const state = await backend.createState([{ name: "w", shape: [3] }]);
      const executable = await backend.compile(accumulating([3]), state);
      await executable.run({ x: [1, 2, 3] });
      await backend.dispose();
      await backend.dispose();
      await rejects(t, () => executable.run({ x: [1, 2, 3] }), Error, /dispose/, "run");
      await rejects(t, () => state.read("w"), Error, /dispose/, "read");
      await rejects(t, () => backend.createState([]), Error, /dispose/, "createState");
      await rejects(
        t,
        () => backend.compile(accumulating([3]), state),
        Error,
        /dispose/,
        "compile",
      );
      await executable.dispose();
      await state.dispose();
      t.ok(true, "disposing these afterwards is fine");
    },
  },
];

/** Bytes in array buffers, where the platform tells. Collects garbage first, where it may. */
async function arrayBufferBytes(): Promise<number | undefined> {
  const { process, gc } = globalThis as {
    process?: { memoryUsage?: () => { arrayBuffers?: number } };
    gc?: () => void;
  };
  gc?.();
  await new Promise((resolve) => setTimeout(resolve, 10));
  return process?.memoryUsage?.().arrayBuffers;
}
