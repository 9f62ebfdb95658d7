// What is held on a device and for how long, and what happens when the device goes.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createGpuBackend, type GpuBackend } from "@fewnorm/backend-gpu";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { add, conv2d, key, mean, multiply, normal, trace } from "@fewnorm/tensor";
import test from "tape";
import { create } from "webgpu";
import { whyNoWebGpu } from "./software-adapter.ts";

const skip = (await whyNoWebGpu()) ?? false;

interface Buffer {
  destroy(): void;
}

interface Device {
  createBuffer(settings: unknown): Buffer;
  destroy(): void;
}

interface Gpu {
  requestAdapter(): Promise<{ requestDevice(settings: unknown): Promise<Device> } | null>;
}

/** Lets gpu.js have a device whose buffers are counted. */
async function withCountedDevice(
  body: (backend: GpuBackend, count: () => number, device: () => Device) => Promise<void>,
): Promise<void> {
  const gpu = create([]) as unknown as Gpu;
  let alive = 0;
  let device: Device | undefined;
  const counted: Gpu = {
    async requestAdapter() {
      const adapter = await gpu.requestAdapter();
      if (adapter === null) return null;
      const request = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (settings) => {
        const made = await request(settings);
        device = made;
        const createBuffer = made.createBuffer.bind(made);
        made.createBuffer = (options) => {
          const buffer = createBuffer(options);
          alive++;
          let destroyed = false;
          const destroy = buffer.destroy.bind(buffer);
          buffer.destroy = () => {
            if (!destroyed) alive--;
            destroyed = true;
            destroy();
          };
          return buffer;
        };
        return made;
      };
      return adapter;
    },
  };
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { gpu: counted }, configurable: true });
  const backend = await createGpuBackend({ mode: "webgpu" });
  try {
    await body(
      backend,
      () => alive,
      () => device as Device,
    );
  } finally {
    await backend.dispose();
    Reflect.deleteProperty(globalThis, "navigator");
    if (before !== undefined) Object.defineProperty(globalThis, "navigator", before);
  }
}

/** w ← w + mean(x ∗ w) / 8. */
const graph = trace((builder) => {
  const [x, w] = [builder.input("x", [2, 3, 6, 6]), builder.state("w", [4, 3, 3, 3])];
  const y = mean(conv2d(x, w, { padding: 1 }));
  builder.output("y", y);
  builder.update("w", add(w, multiply(y, 0.125)));
});

const specs = [{ name: "w", shape: [4, 3, 3, 3] }];
const x = Float32Array.from(normal(key(1), 216));
const weights = Float32Array.from(normal(key(2), 108));

test("webgpu holds as many buffers after 300 steps as after 10, and none after dispose", {
  skip,
}, async (t) => {
  let count = () => 0;
  await withCountedDevice(async (backend, buffers) => {
    count = buffers;
    const state = await backend.createState(specs);
    await state.write("w", weights);
    const executable = await backend.compile(graph, state);
    for (let i = 0; i < 10; i++) await executable.run({ x });
    const early = buffers();
    t.ok(early > 0, `${early} buffers`);
    t.equal(executable.residentStates, 1, "the state stays on the device");
    for (let i = 10; i < 300; i++) await executable.run({ x });
    t.equal(buffers(), early, "after 300 steps");
    await state.read("w");
    t.equal(buffers(), early, "after reading a state");
    await executable.dispose();
    t.equal(buffers(), 0, "after the executable is disposed of");
  });
  t.equal(count(), 0, "after the backend is disposed of");
});

test("a lost device is an error that says what to do; another backend goes on", {
  skip,
}, async (t) => {
  await withCountedDevice(async (backend, _, device) => {
    const state = await backend.createState(specs);
    await state.write("w", weights);
    const executable = await backend.compile(graph, state);
    await executable.run({ x });
    const checkpoint = await state.read("w");
    await executable.run({ x });
    device().destroy();
    // The loss is told on the next turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const attempt of [() => executable.run({ x }), () => state.read("w")]) {
      const error = await attempt().then(
        () => undefined,
        (reason: Error) => reason,
      );
      t.match(String(error), /was lost.*last checkpoint/, "says that the device was lost");
    }
    const other = await createWasmBackend({ threads: 1 });
    const copy = await other.createState(specs);
    await copy.write("w", checkpoint);
    const { y } = await (await other.compile(graph, copy)).run({ x });
    t.ok(Number.isFinite(y?.data[0]), "from the checkpoint, on another backend");
    await other.dispose();
  });
});

test("no mode is taken for another, and limits are told", async (t) => {
  for (const mode of ["webgl2", "webgl"] as const) {
    const error = await createGpuBackend({ mode }).catch((reason: Error) => reason);
    t.match(String(error), new RegExp(`the mode ${mode} can't be had here: there is no canvas`));
  }
  const unknown = await createGpuBackend({ mode: "cuda" as "cpu" }).catch((e: Error) => e);
  t.match(String(unknown), /RangeError.*no mode "cuda"; modes are auto, webgpu/);
  const backend = await createGpuBackend({ mode: "webasm" });
  const large = trace((builder) => builder.output("y", add(builder.input("x", [2 ** 25]), 1)));
  const error = await backend.compile(large).catch((reason: Error) => reason);
  t.match(String(error), /compile: .* needs 134217728 bytes; the limit of webasm.* is 67108864/);
  await backend.dispose();
});

test("a process that used WebGPU ends by itself", { skip }, async (t) => {
  const index = fileURLToPath(new URL("../src/index.js", import.meta.url));
  const program = `
    const { createGpuBackend } = await import(${JSON.stringify(index)});
    const backend = await createGpuBackend({ mode: "webgpu" });
    await backend.dispose();
    console.log("disposed");`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  t.equal(code, 0);
  t.equal(said, "disposed\n");
});

test("states that webasm keeps are read, written and shared as others are", async (t) => {
  const backend = await createGpuBackend({ mode: "webasm" });
  const state = await backend.createState(specs);
  await state.write("w", weights);
  const executable = await backend.compile(graph, state);
  const other = await backend.compile(
    trace((builder) => builder.output("w", multiply(builder.state("w", [4, 3, 3, 3]), 2))),
    state,
  );
  for (let i = 0; i < 3; i++) await executable.run({ x });
  t.equal(executable.residentStates, 1, "the state stays in the pipeline's memory");
  const read = await state.read("w");
  const { w } = await other.run();
  t.equal(w?.data[5], 2 * (read.data[5] as number), "another executable sees the newest value");
  await state.write("w", weights);
  const first = await executable.run({ x });
  await state.write("w", weights);
  const again = await executable.run({ x });
  t.equal(again.y?.data[0], first.y?.data[0], "what is written counts at the next run");
  await executable.run({ x });
  await executable.dispose();
  t.notEqual((await state.read("w")).data[0], weights[0], "disposing of who holds it keeps it");
  await backend.dispose();
});
