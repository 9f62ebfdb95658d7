// What is left when memory does not suffice.

import { createLifetime, createQueue } from "@fewnorm/backend";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { add, type Graph, multiply, type Shape, trace } from "@fewnorm/tensor";
import test from "tape";
import { HEAP_BASE } from "../src/engine/control.ts";
import { createHeap, type Heap } from "../src/engine/heap.ts";
import { createExecutable, type EngineContext } from "../src/executable.ts";
import { createEngineState } from "../src/state.ts";

/** y = (x + w + 1) · w, w ← w + x. */
const stepOf = (shape: Shape): Graph =>
  trace((builder) => {
    const [x, w] = [builder.input("x", shape), builder.state("w", shape)];
    builder.output("y", multiply(add(add(x, w), builder.constant([1, 1, 1, 1], [4])), w));
    builder.update("w", add(w, x));
  });

/** Five tensors of 1 GiB at a time. */
const tooLarge = trace((builder) => {
  const x = builder.input("x", [2 ** 26, 4]);
  const one = builder.constant([1, 2, 3, 4], [4]);
  for (let i = 0; i < 4; i++) builder.output(`${i}`, multiply(add(x, one), i));
});

async function failure(attempt: () => unknown): Promise<unknown> {
  try {
    await attempt();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("a graph that is too large leaves everything else as it was", async (t) => {
  const backend = await createWasmBackend({ threads: 2 });
  const specs = [{ name: "w", shape: [64, 4] }];
  const feeds = { x: new Float32Array(256).fill(2) };
  const old = await backend.createState(specs);
  const first = await backend.compile(stepOf([64, 4]), old);
  await old.write("w", new Float32Array(256).fill(3));
  const error = await failure(() => backend.compile(tooLarge));
  t.ok(error instanceof RangeError && /bytes.*GiB.*smaller/.test(error.message), `${error}`);

  const young = await backend.createState(specs);
  await young.write("w", new Float32Array(256).fill(5));
  const second = await backend.compile(stepOf([64, 4]), young);
  const all = (value: number) => Array.from({ length: 256 }, () => value);
  const run = async (executable: typeof first) => [
    ...((await executable.run(feeds)).y?.data ?? []),
  ];
  t.deepEqual(await run(first), all(18), "an executable from before");
  t.deepEqual([...(await young.read("w")).data], all(5), "does not touch a state made afterwards");
  t.deepEqual(await run(second), all(40), "an executable from afterwards");
  t.deepEqual(await run(first), all(40), "the first one again, after its update");
  t.deepEqual([...(await old.read("w")).data], all(7), "the state from before");
  await backend.dispose();
  t.end();
});

/** A heap that counts its blocks in use. */
function countingHeap(): { heap: Heap; blocks: Set<number> } {
  const heap = createHeap(HEAP_BASE, false);
  const blocks = new Set<number>();
  return {
    blocks,
    heap: {
      ...heap,
      allocate(bytes) {
        const address = heap.allocate(bytes);
        blocks.add(address);
        return address;
      },
      free(address) {
        blocks.delete(address);
        heap.free(address);
      },
    },
  };
}

test("what fails keeps no memory", async (t) => {
  const { heap, blocks } = countingHeap();
  const context: EngineContext = {
    heap,
    queue: createQueue(),
    pool: { threads: 1, run: async () => {}, dispose: async () => {} },
    lifetime: createLifetime("the backend", "create another"),
    workspace: {
      user: undefined,
      address: 0,
      reserve(bytes) {
        throw new RangeError(`${bytes} are too many`);
      },
    },
  };
  const compiled = await failure(() => createExecutable(context, tooLarge, undefined));
  t.ok(compiled instanceof RangeError, `compile: ${compiled}`);
  t.equal(blocks.size, 0, "an executable's constants and plan are free again");
  const specs = [1, 2 ** 20, 2 ** 31].map((size) => ({ name: `${size}`, shape: [size] }));
  const created = await failure(() => createEngineState(context, specs));
  t.ok(created instanceof RangeError, `createState: ${created}`);
  t.equal(blocks.size, 0, "a state's other values are free again");
  t.end();
});

test("an allocation that is refused names the limit that there is", async (t) => {
  const { Memory } = WebAssembly;
  const refusal = () => failure(() => createHeap(HEAP_BASE, true).allocate(2 ** 33));
  t.ok(/ 4 GiB/.test(`${await refusal()}`), `${await refusal()}`);
  // As where address space is short.
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if ((descriptor.maximum ?? 0) > 2 ** 14) throw new RangeError("no address space");
      super(descriptor);
    }
  };
  try {
    t.ok(/ 1 GiB/.test(`${await refusal()}`), `${await refusal()}`);
  } finally {
    WebAssembly.Memory = Memory;
  }
  t.end();
});
