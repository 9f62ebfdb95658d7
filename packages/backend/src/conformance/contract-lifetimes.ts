// Cases of the contract: repeated runs, memory, and disposal.

import { conv2d, key, moments, normal, rows, sum, trace } from "@fewnorm/tensor";
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
