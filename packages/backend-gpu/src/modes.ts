// gpu.js's modes: which can be had here, and what each needs.

import { type GpuInstance, gpuJs } from "./gpu-js.ts";
import { MOST_COUNTED } from "./kernel/threads.ts";
import type { PlanOptions } from "./plan.ts";
import { plainSizes, webGpuSizes } from "./sizes.ts";
import { openWebGpu } from "./webgpu.ts";

/** All modes, the best first. */
export const gpuModes = ["webgpu", "webgl2", "webasm", "webgl", "cpu"] as const;

/** What gpu.js runs on: a GPU through a browser's or Node's interface, WebAssembly, or plain JavaScript (`cpu`). */
export type GpuMode = (typeof gpuModes)[number];

/** gpu.js in one mode, ready to make kernels. */
export interface Engine {
  readonly mode: GpuMode;
  readonly gpu: GpuInstance;
  /** `webgpu, SwiftShader Device`. */
  readonly description: string;
  readonly adapter: string | undefined;
  readonly emulated: boolean;
  readonly maxTensorBytes: number;
  readonly threads: number;
  readonly kernels: PlanOptions;
  /** An error of gpu.js, said so that a user understands. */
  explain(error: unknown): Error;
  /** @throws Error if something went wrong on the device that no call has reported. */
  checkDevice(): void;
  close(): Promise<void>;
}

/** Arrays that a kernel may read everywhere: WebGPU promises eight storage buffers, and one is for the result. */
const ARRAYS = 7;

/**
 * A GPU is told of each kernel and waits for its end: small ones are computed together. On processors a branch in every
 * thread costs more than that saves.
 */
export const gpuKernels: Engine["kernels"] = {
  layout: "grid",
  indices: "float",
  sizes: plainSizes,
  mostThreads: 2 ** 17,
  mostRepeats: 2 ** 26,
  mostArrays: ARRAYS,
};

/** WebGPU's, with as many arrays as every device allows. */
export const webGpuKernels: Engine["kernels"] = {
  ...gpuKernels,
  layout: "wide",
  indices: "integer",
  sizes: webGpuSizes,
};

/** Elements are counted in float32. */
const MAX_TENSOR_BYTES = 4 * MOST_COUNTED;

/**
 * The engine of a mode.
 * @throws RangeError for a mode that there is not, Error with the reason for one that can't be had here.
 */
export async function openEngine(mode: GpuMode | "auto"): Promise<Engine> {
  if (mode === "auto") return openBest();
  if (!gpuModes.includes(mode)) {
    throw new RangeError(
      `createGpuBackend: there is no mode "${mode}"; modes are auto, ${gpuModes.join(", ")}`,
    );
  }
  try {
    return await openers[mode]();
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`createGpuBackend: the mode ${mode} can't be had here: ${message}`, {
      cause: error,
    });
  }
}

/** The first mode that answers. A GPU that a processor emulates is slower than a processor's own mode. */
async function openBest(): Promise<Engine> {
  const reasons: string[] = [];
  for (const mode of gpuModes) {
    try {
      const engine = await openers[mode]();
      if (!engine.emulated) return engine;
      await engine.close();
      reasons.push(`${mode}: ${engine.adapter} is emulation`);
    } catch (error) {
      reasons.push(`${mode}: ${(error as Error).message}`);
    }
  }
  throw new Error(`createGpuBackend: no mode can be had here: ${reasons.join("; ")}`);
}

const openers: { readonly [M in GpuMode]: () => Promise<Engine> } = {
  webgpu: openWebGpu,
  webgl2: () => openWebGl("webgl2"),
  webgl: () => openWebGl("webgl"),
  async webasm() {
    if (!("WebAssembly" in globalThis)) throw new Error("there is no WebAssembly");
    const threads = typeof SharedArrayBuffer === "undefined" ? 1 : await coreCount();
    const described = `webasm, ${threads} ${threads === 1 ? "thread" : "threads"}`;
    return plainEngine("webasm", described, threads, {
      layout: "grid",
      indices: "float",
      sizes: plainSizes,
      // Its threads wait for each other after each kernel, and share a kernel's elements evenly, whatever these take.
      mostThreads: 2 ** 10,
      mostRepeats: 0,
      mostArrays: ARRAYS,
    });
  },
  cpu: async () =>
    plainEngine("cpu", "cpu, plain JavaScript", 1, {
      layout: "flat",
      indices: "float",
      sizes: plainSizes,
      mostThreads: 0,
      mostRepeats: 0,
      mostArrays: ARRAYS,
    }),
};

async function openWebGl(mode: "webgl" | "webgl2"): Promise<Engine> {
  const canvas = createCanvas();
  const gl = canvas?.getContext(mode) as WebGl | null | undefined;
  if (gl === null || gl === undefined) {
    throw new Error(
      canvas === undefined ? "there is no canvas; WebGL is for browsers" : "the browser gives none",
    );
  }
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const renderer = info === null ? "unnamed" : gl.getParameter(info.UNMASKED_RENDERER_WEBGL);
  const float = mode === "webgl2" ? "EXT_color_buffer_float" : "OES_texture_float";
  if (gl.getExtension(float) === null) throw new Error(`${renderer} has no ${float}`);
  // A texture holds an element in each of its pixels.
  const largest = 4 * gl.getParameter(MAX_TEXTURE_SIZE) ** 2;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return {
    ...plainEngine(mode, `${mode}, ${renderer}`, 1, gpuKernels),
    maxTensorBytes: Math.min(MAX_TENSOR_BYTES, largest),
    adapter: renderer,
    emulated: isEmulation(renderer),
  };
}

function plainEngine(
  mode: GpuMode,
  description: string,
  threads: number,
  kernels: Engine["kernels"],
): Engine {
  const gpu = new gpuJs.GPU({ mode });
  return {
    mode,
    gpu,
    description,
    adapter: undefined,
    emulated: false,
    maxTensorBytes: MAX_TENSOR_BYTES,
    threads,
    kernels,
    explain: (error) => describeError(error, mode),
    checkDevice() {},
    close: () => gpu.destroy(),
  };
}

export function describeError(error: unknown, mode: GpuMode): Error {
  const message = error instanceof Error ? error.message : String(error);
  // What follows is the compiler's log and, on WebGPU, the whole text of the kernel.
  const [, log] = /^Error (?:compiling|creating)[^:]*:\s*(.*)/.exec(message) ?? [];
  const said =
    log === undefined
      ? `gpu.js failed in the mode ${mode}: ${message}`
      : `a kernel can't be compiled in the mode ${mode}: ${log}; use another mode or backend, and report it with this error's cause`;
  return new Error(`run: ${said}`, { cause: error });
}

/** Whether a processor does what a GPU of this name should. */
export const isEmulation = (adapter: string): boolean =>
  /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(adapter);

const MAX_TEXTURE_SIZE = 0x0d33;

/** What is used of WebGL here. */
interface WebGl {
  getExtension(name: "WEBGL_debug_renderer_info"): { UNMASKED_RENDERER_WEBGL: number } | null;
  getExtension(name: "WEBGL_lose_context"): { loseContext(): void } | null;
  getExtension(name: string): unknown;
  getParameter(name: typeof MAX_TEXTURE_SIZE): number;
  getParameter(name: number): string;
}

function createCanvas(): { getContext(name: string): unknown } | undefined {
  const { OffscreenCanvas: Canvas } = globalThis as {
    OffscreenCanvas?: new (width: number, height: number) => { getContext(name: string): unknown };
  };
  return Canvas === undefined ? undefined : new Canvas(1, 1);
}

async function coreCount(): Promise<number> {
  if (typeof process !== "undefined" && process.versions?.node !== undefined) {
    const name = "node:os";
    return ((await import(name)) as typeof import("node:os")).availableParallelism();
  }
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return navigator?.hardwareConcurrency ?? 1;
}
