// The backend: gpu.js in one of its modes.

import {
  type Backend,
  checkStates,
  createLifetime,
  createQueue,
  type StateSpec,
  sizeCheck,
} from "@fewnorm/backend";
import { checkOptions, type Graph } from "@fewnorm/tensor";
import { createGpuExecutable, type ExecutableContext, type GpuExecutable } from "./executable.ts";
import { type Engine, type GpuMode, openEngine } from "./modes.ts";
import { createGpuState, type GpuState } from "./state.ts";

/** Options of {@link createGpuBackend}. */
export interface GpuBackendOptions {
  /** Default "auto": the best that answers. A mode that is named is that one, or an error. */
  readonly mode?: GpuMode | "auto";
}

/** A backend that tells which mode it took, and whose executables tell how they run. */
export interface GpuBackend extends Backend {
  /** The mode that it runs in; never `auto`. */
  readonly mode: GpuMode;
  /** The name of the adapter, where the mode has one. */
  readonly adapter: string | undefined;
  /** Whether a processor does what a GPU should: right, but slow. */
  readonly emulated: boolean;
  compile(...parameters: Parameters<Backend["compile"]>): Promise<GpuExecutable>;
}

/**
 * gpu.js: WebGPU, WebGL2, WebGL, WebAssembly or plain JavaScript. A graph is one pipeline of kernels that are made for
 * its shapes; on WebGPU it is submitted as one, on WebAssembly run as one.
 * @throws TypeError for options that there are not, RangeError for a mode that there is not, Error with the reason for one
 * that can't be had here.
 */
export async function createGpuBackend(options: GpuBackendOptions = {}): Promise<GpuBackend> {
  checkOptions("createGpuBackend", options, { mode: "string" });
  return backendOf(await openEngine(options.mode ?? "auto"));
}

/** The backend of an engine, which it closes in the end. */
export function backendOf(engine: Engine): GpuBackend {
  const queue = createQueue();
  const lifetime = createLifetime("the backend", "create another");
  const sizes = sizeCheck(engine.description, engine.maxTensorBytes);
  const context: ExecutableContext = {
    gpu: engine.gpu,
    queue,
    mode: engine.mode,
    kernels: engine.kernels,
    lifetime,
    explain: engine.explain,
    checkDevice: engine.checkDevice,
  };
  const owned = new Set<GpuExecutable>();
  return {
    name: "gpu",
    description: `gpu (${engine.description})`,
    precision: "float32",
    limits: { maxTensorBytes: engine.maxTensorBytes, threads: engine.threads },
    mode: engine.mode,
    adapter: engine.adapter,
    emulated: engine.emulated,
    async createState(specs: readonly StateSpec[]) {
      lifetime.check("createState");
      return createGpuState({ queue, lifetime, sizes }, specs);
    },
    async compile(graph: Graph, state) {
      lifetime.check("compile");
      const own = state as GpuState | undefined;
      if (own !== undefined && own.queue !== queue) {
        throw new Error("compile: the state belongs to another backend; create it on this one");
      }
      own?.lifetime.check("compile");
      checkStates(graph, own?.specs ?? []);
      sizes.graph(graph);
      const executable = createGpuExecutable(context, graph, own, () => owned.delete(executable));
      owned.add(executable);
      return executable;
    },
    async dispose() {
      if (lifetime.ended) return;
      lifetime.end();
      for (const executable of [...owned]) await executable.dispose();
      // One may still be at it that was disposed of before.
      await queue.enter(() => engine.close());
    },
  };
}
