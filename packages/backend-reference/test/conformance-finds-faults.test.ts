// A suite that cannot fail is worth nothing: backends with one fault each, and the tests that must notice.

import {
  type Backend,
  conformance,
  type Executable,
  type Fetches,
  type State,
} from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { type Shape, toNdArray, type Values } from "@fewnorm/tensor";
import test from "tape";

/** Runs the suite's tests whose title matches, and returns the titles of those that fail. */
async function failing(createBackend: () => Backend, titles: RegExp): Promise<string[]> {
  const bodies: [string, Parameters<Parameters<typeof conformance>[0]>[1]][] = [];
  conformance((name, body) => bodies.push([name.replace(/^.*?: /, ""), body]), "x", createBackend, {
    oracle: () => createReferenceBackend(),
  });
  const failed: string[] = [];
  for (const [title, body] of bodies.filter(([name]) => titles.test(name))) {
    let ok = true;
    try {
      await body({ ok: (value) => (ok &&= Boolean(value)) });
    } catch {
      ok = false;
    }
    if (!ok) failed.push(title);
  }
  return failed;
}

const good = () => createReferenceBackend({ precision: "float32" });

/** The float32 reference with something changed about its executables. */
const withExecutable =
  (change: (executable: Executable, state?: State) => Executable) => (): Backend => {
    const backend = good();
    return {
      ...backend,
      compile: async (graph, state) => change(await backend.compile(graph, state), state),
    };
  };

/** With every float32 result passed through a function. */
const withResults = (change: (values: Float32Array, shape: Shape, name: string) => Float32Array) =>
  withExecutable((executable) => ({
    ...executable,
    async run(feeds) {
      const fetches: Fetches = {};
      for (const [name, array] of Object.entries(await executable.run(feeds))) {
        const { data, shape } = array;
        fetches[name] =
          data instanceof Float32Array
            ? toNdArray<Values>(change(data, shape, name), shape)
            : array;
      }
      return fetches;
    },
  }));

interface Fault {
  readonly name: string;
  readonly createBackend: () => Backend;
  /** The tests that must fail. */
  readonly found: readonly string[];
  /** Tests that must not, if any are to be run beside. */
  readonly passed?: readonly string[];
}

const arithmetic = [
  ...["add", "subtract", "multiply", "divide", "sqrt", "sum", "matmul", "conv2d", "moments"],
  ...["conv2dInputGrad", "conv2dWeightGrad", "normalize", "normalizeGradSums"],
  ...["normalizeInputGrad", "softmaxCrossEntropy", "softmaxCrossEntropyGrad", "addRows", "addCrop"],
  "maxPoolGrad",
];
const moving = [
  "input",
  "relu",
  "reluGrad",
  "reshape",
  "broadcast",
  "slice",
  "pad",
  "rows",
  "crop",
  "maxPool",
];

const arrays = new Map<string, Float32Array>();
const kept: Float32Array[] = [];
let runs = 0;

const faults: readonly Fault[] = [
  {
    name: "results are off by 1e-5",
    createBackend: withResults((values) => values.map((x) => x * (1 + 1e-5))),
    found: [...arithmetic, ...moving, "joinRows", "values that are needed again"],
  },
  {
    name: "results are off by a unit in the last place",
    createBackend: withResults((values) => values.map((x) => x * (1 + 2 ** -23))),
    found: [...moving, "joinRows"],
    passed: ["conv2d", "matmul", "sum", "moments"],
  },
  {
    name: "the last element is forgotten",
    createBackend: withResults((values) => values.fill(0, values.length - 1)),
    found: [...arithmetic, ...moving, "joinRows", "views feed every kind of kernel"],
  },
  {
    name: "runs differ by a rounding",
    createBackend: withResults((values) => values.map((x) => x * (1 + (runs++ % 7) * 2 ** -23))),
    found: ["conv2d", "the same feeds give the same bits, in another executable too"],
  },
  {
    name: "every run gives the same arrays",
    createBackend: withResults((values, shape, name) => {
      const array = arrays.get(`${name} ${shape}`) ?? values;
      arrays.set(`${name} ${shape}`, array);
      array.set(values);
      return array;
    }),
    found: ["results are copies that the caller owns"],
    passed: ["conv2d"],
  },
  {
    name: "results are never freed",
    createBackend: withResults((values) => {
      kept.push(values);
      return values;
    }),
    found: ["runs do not grow memory"],
  },
  {
    name: "unknown feeds are ignored",
    createBackend: withExecutable((executable) => ({
      ...executable,
      run(feeds = {}) {
        const known = Object.entries(feeds).filter(([name]) => name in executable.graph.inputs);
        return executable.run(Object.fromEntries(known));
      },
    })),
    found: ["wrong feeds are errors that change nothing"],
  },
  {
    name: "updates are forgotten",
    createBackend: withExecutable((executable, state) => ({
      ...executable,
      async run(feeds) {
        const specs = state?.specs ?? [];
        const before = await Promise.all(specs.map(({ name }) => state?.read(name)));
        const fetches = await executable.run(feeds);
        for (const [i, { name }] of specs.entries()) await state?.write(name, before[i] ?? []);
        return fetches;
      },
    })),
    found: ["state", "executables share their state, and states are apart from each other"],
  },
  {
    name: "a failing run has updated already",
    createBackend: withExecutable((executable, state) => ({
      ...executable,
      async run(feeds) {
        try {
          return await executable.run(feeds);
        } catch (error) {
          for (const { name, shape } of state?.specs ?? []) {
            await state?.write(name, new Float32Array(shape.reduce((a, b) => a * b, 1)));
          }
          throw error;
        }
      },
    })),
    found: [
      "wrong feeds are errors that change nothing",
      "a label out of range is an error that changes nothing",
    ],
  },
  {
    name: "dispose does nothing",
    createBackend: () => ({ ...good(), dispose: async () => {} }),
    found: ["dispose of the backend ends what it made"],
  },
];

for (const { name, createBackend, found, passed = [] } of faults) {
  test(`the suite notices: ${name}`, async (t) => {
    const escaped = [...found, ...passed].map((title) =>
      title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"),
    );
    const failed = await failing(createBackend, new RegExp(`^(${escaped.join("|")})$`));
    t.deepEqual([...failed].sort(), [...found].sort());
    kept.length = 0;
    arrays.clear();
  });
}
