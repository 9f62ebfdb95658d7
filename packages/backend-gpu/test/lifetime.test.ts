// What is held on a device and for how long.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createGpuBackend, type GpuMode } from "@fewnorm/backend-gpu";
import { multiply, trace } from "@fewnorm/tensor";
import test from "tape";
import { globals } from "webgpu";
import { type Browser, openBrowser, whyNoBrowser } from "./browser.ts";
import { type Course, countHeld, type Held, type Makers, trainHolding } from "./held.ts";
import { graph, specs, weights, x } from "./small-step.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

const skip = (await whyNoWebGpu()) ?? false;

let browser: Browser | undefined;
let held: (() => Held) | undefined;

const inNode = (mode: GpuMode): Promise<Course> => {
  held ??= countHeld(globals as Makers);
  return trainHolding(mode, held);
};

const inChromium = async (mode: GpuMode): Promise<Course> => {
  browser ??= await openBrowser();
  return browser.held(mode);
};

const courses = [
  { name: "webasm", what: "bytes", skip: false, train: () => inNode("webasm") },
  { name: "webgpu", what: "buffers", skip, train: () => inNode("webgpu") },
  ...(["webgpu", "webgl2", "webgl"] as const).map((mode) => ({
    name: `${mode} in Chromium`,
    what: mode === "webgpu" ? "buffers" : "textures",
    skip: whyNoBrowser ?? false,
    train: () => inChromium(mode),
  })),
] as const;

for (const { name, what, skip, train } of courses) {
  test(`${name} holds as much after 300 steps as after 10, and nothing after dispose`, {
    skip,
  }, async (t) => {
    const { after10, after300, afterReading, afterDispose, residentStates } = await train();
    t.ok(after10[what as keyof Held] > 0, `${after10[what as keyof Held]} ${what}`);
    t.deepEqual(after300, after10, "after 300 steps");
    t.deepEqual(afterReading, after10, "after reading a state");
    t.deepEqual([afterDispose.buffers, afterDispose.textures], [0, 0], "after dispose");
    t.equal(residentStates, name.includes("webgl") ? 0 : 1, "where states stay, they do");
  });
}

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

test.onFinish(() => {
  browser?.close();
});
