// Cases of the contract: repeated runs, memory, and disposal.

import {
  add,
  conv2d,
  key,
  moments,
  normal,
  relu,
  rows,
  sum,
  trace,
  type Values,
} from "@fewnorm/tensor";
import type { NdArray } from "ndarray";
import type { Backend, Feeds, Fetches } from "../backend.ts";
import { sameBits } from "./comparison.ts";
import { accumulating, type ContractCase, equalValues, rejects } from "./contract-checks.ts";

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

export const lifetimeContract: readonly ContractCase[] = [
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
      const count = 2 ** 18;
      const graph = trace((builder) => {
        const [x, w] = [builder.input("x", [count]), builder.state("w", [count])];
        const y = relu(add(x, w));
        builder.output("y", y);
        builder.update("w", y);
      });
      const state = await backend.createState([{ name: "w", shape: [count] }]);
      const executable = await backend.compile(graph, state);
      t.ok(executable.workspaceBytes >= 0, `${executable.workspaceBytes} bytes are planned`);
      const x = new Float32Array(count);
      const used: number[] = [];
      for (let i = 0; i <= 220; i++) {
        await executable.run({ x });
        used.push((await arrayBufferBytes()) ?? 0);
      }
      // Garbage is collected now and then, so what counts is the least that was in use in the second
      // half. Were one array kept by each run, that would be 100 of them more than in the first 20 runs.
      const growth = Math.min(...used.slice(120)) - Math.min(...used.slice(0, 21));
      const bound = 50 * 4 * count;
      t.ok(growth < bound, `${growth} bytes more after 120 to 220 runs; the bound is ${bound}`);
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
    name: "dispose: runs that were asked for before take place",
    async check(t, backend) {
      for (const what of ["executable", "state", "backend"] as const) {
        const state = await backend.createState([{ name: "w", shape: [3] }]);
        const executable = await backend.compile(accumulating([3]), state);
        const run = async () => (await executable.run({ x: [1, 2, 3] })).y as NdArray<Values>;
        await run();
        const runs = [run(), run()];
        const disposing = { executable, state, backend }[what].dispose();
        for (const [i, y] of (await Promise.all(runs)).entries()) {
          equalValues(
            t,
            y,
            [1, 2, 3].map((x) => (i + 2) * x),
            `of the ${what}: run ${i + 2}`,
          );
        }
        await disposing;
      }
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

/** Bytes in array buffers, where the platform tells. Collects garbage first where that is exposed. */
async function arrayBufferBytes(): Promise<number | undefined> {
  const { process, gc } = globalThis as {
    process?: { memoryUsage?: () => { arrayBuffers?: number } };
    gc?: () => void;
  };
  gc?.();
  await new Promise((resolve) => setTimeout(resolve, 1));
  return process?.memoryUsage?.().arrayBuffers;
}
