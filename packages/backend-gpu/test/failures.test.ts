// What is said when a mode, a device or a kernel is not to be had, and how a training goes on then.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import { add, trace } from "@fewnorm/tensor";
import test from "tape";
import { openBrowser, whyNoBrowser } from "./browser.ts";
import { alteredGpu, type Device, withGpu } from "./gpu-stand-in.ts";
import { graph, prepare, specs, weights, x } from "./small-step.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

const skip = (await whyNoWebGpu()) ?? false;

const failureOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(() => "no error", String);

test("without an adapter WebGPU is an error that says what is needed, and auto takes another", async (t) => {
  const gpu = { requestAdapter: async () => null };
  await withGpu(gpu, async () => {
    const failure = await failureOf(createGpuBackend({ mode: "webgpu" }));
    t.match(
      failure,
      /createGpuBackend: the mode webgpu can't be had here: .* no adapter; a GPU with a driver/,
    );
    const backend = await createGpuBackend();
    t.equal(backend.mode, "webasm");
    await backend.dispose();
  });
});

test("options that there are not are refused, as is a mode", async (t) => {
  for (const [options, said] of [
    [
      "webgpu",
      /TypeError: createGpuBackend: the options are "webgpu"; give an object of options: mode/,
    ],
    [{ modus: "webgpu" }, /TypeError: createGpuBackend: there is no option "modus"/],
    [{ mode: "cuda" }, /RangeError: createGpuBackend: there is no mode "cuda"/],
  ] as const) {
    t.match(await failureOf(createGpuBackend(options as never)), said);
  }
});

test("a lost device is an error that says what to do; another backend goes on", {
  skip,
}, async (t) => {
  let device: Device | undefined;
  const gpu = alteredGpu({
    device(made) {
      device = made;
    },
  });
  await withGpu(gpu, async () => {
    const backend = await createGpuBackend({ mode: "webgpu" });
    const { state, executable } = await prepare(backend);
    await executable.run({ x });
    const checkpoint = await state.read("w");
    await executable.run({ x });
    device?.destroy();
    // The loss is told on the next turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const attempt of [() => executable.run({ x }), () => state.read("w")]) {
      t.match(await failureOf(attempt()), /was lost.*last checkpoint/, "says that it was lost");
    }
    const other = await createWasmBackend({ threads: 1 });
    const copy = await other.createState(specs);
    await copy.write("w", checkpoint);
    const { y } = await (await other.compile(graph, copy)).run({ x });
    t.ok(Number.isFinite(y?.data[0]), "from the checkpoint, on another backend");
    await other.dispose();
    await backend.dispose();
  });
});

test("what the device reports reaches all who use it, and they go on", { skip }, async (t) => {
  let device: Device | undefined;
  const gpu = alteredGpu({
    device(made) {
      device = made;
    },
  });
  await withGpu(gpu, async () => {
    const [backend, other] = await Promise.all([
      createGpuBackend({ mode: "webgpu" }),
      createGpuBackend({ mode: "webgpu" }),
    ]);
    const { state, executable } = await prepare(backend);
    for (let i = 0; i < 3; i++) await executable.run({ x });
    const before = await state.read("w");
    await other.dispose();
    const failing = executable.run({ x });
    // Of no kind that there is.
    device?.createBuffer({ size: 4, usage: 3 });
    t.match(
      await failureOf(failing),
      /^Error: run: the GPU device .* reported an error: Buffer us/,
    );
    t.deepEqual((await state.read("w")).data, before.data, "the state is as before");
    const { y } = await executable.run({ x });
    t.ok(Number.isFinite(y?.data[0]), "the next run is one again");
    t.notDeepEqual((await state.read("w")).data, before.data);
    await backend.dispose();
  });
});

test("after a run that failed, a state that only the device had is an error until it is written", {
  skip,
}, async (t) => {
  let device: Device | undefined;
  const gpu = alteredGpu({
    device(made) {
      device = made;
    },
  });
  await withGpu(gpu, async () => {
    const backend = await createGpuBackend({ mode: "webgpu" });
    const { state, executable } = await prepare(backend);
    for (let i = 0; i < 2; i++) await executable.run({ x });
    const failing = executable.run({ x });
    device?.createBuffer({ size: 4, usage: 3 });
    t.match(await failureOf(failing), /reported an error/);
    t.match(
      await failureOf(state.read("w")),
      /a run failed on the GPU, and the states .* are gone/,
    );
    await state.write("w", weights);
    t.ok(Number.isFinite((await executable.run({ x })).y?.data[0]), "written, it is used again");
    t.equal(executable.residentStates, 1, "and stays on the device again");
    await backend.dispose();
  });
});

test("a device stays until all is done that was asked for", { skip }, async (t) => {
  const backend = await createGpuBackend({ mode: "webgpu" });
  const { state, executable } = await prepare(backend);
  await executable.run({ x });
  const reading = state.read("w");
  const ends = [executable.dispose(), backend.dispose()];
  t.ok(Number.isFinite((await reading).data[0]));
  await Promise.all(ends);
});

test("a page's own WebGPU is left as it was", { skip }, async (t) => {
  const gpu = alteredGpu({});
  const { requestAdapter } = gpu;
  await withGpu(gpu, async () => {
    const backends = [1, 2, 3].map(() => createGpuBackend({ mode: "webgpu" }));
    for (const backend of await Promise.all(backends)) await backend.dispose();
    t.equal(gpu.requestAdapter, requestAdapter);
  });
});

test("a kernel that can't be compiled is an error with the compiler's words; states stay", {
  skip,
}, async (t) => {
  let broken = true;
  const gpu = alteredGpu({
    device(device) {
      const createShaderModule = device.createShaderModule.bind(device);
      device.createShaderModule = ({ code }) =>
        createShaderModule({ code: broken ? code.replace("fn main", "fn 7main") : code });
    },
  });
  await withGpu(gpu, async () => {
    const backend = await createGpuBackend({ mode: "webgpu" });
    const { state, executable } = await prepare(backend);
    const failure = await failureOf(executable.run({ x }));
    t.match(
      failure,
      /^Error: run: a kernel can't be compiled in the mode webgpu: .*\d+:\d+.*; use another mode/,
    );
    t.notOk(failure.includes("\n"), "in one line");
    const before = await state.read("w");
    t.ok(before.data[0] !== 0, "the state is what it was");
    await executable.dispose();
    broken = false;
    const again = await backend.compile(graph, state);
    t.ok(Number.isFinite((await again.run({ x })).y?.data[0]), "the backend can be used further");
    await backend.dispose();
  });
});

test("a shader that can't be compiled is an error with the compiler's words", {
  skip: whyNoBrowser ?? false,
}, async (t) => {
  const browser = await openBrowser();
  const failure = await browser.breakKernels("webgl2").finally(browser.close);
  t.match(failure, /^Error: run: a kernel can't be compiled in the mode webgl2: .*; use another/);
});

test("what is larger than a device allows is an error before anything runs", {
  skip,
}, async (t) => {
  const limit = 2 ** 20;
  const gpu = alteredGpu({
    adapter(adapter) {
      const limits = {
        ...{ maxStorageBufferBindingSize: limit, maxBufferSize: 2 ** 28 },
        maxStorageBuffersPerShaderStage: 8,
      };
      Object.defineProperty(adapter, "limits", { value: limits });
    },
  });
  await withGpu(gpu, async () => {
    const backend = await createGpuBackend({ mode: "webgpu" });
    t.equal(backend.limits.maxTensorBytes, limit, "the limit is declared");
    const large = trace((builder) => builder.output("y", add(builder.input("x", [2 ** 19]), 1)));
    t.match(
      await failureOf(backend.compile(large)),
      /compile: input: .* needs 2097152 bytes; the limit of webgpu, .* is 1048576; use a smaller/,
    );
    await backend.dispose();
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
