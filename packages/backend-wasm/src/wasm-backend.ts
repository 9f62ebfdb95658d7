// The backend: an engine chosen for this environment, its threads and memory.

import {
  type Backend,
  checkSpecs,
  checkStates,
  createLifetime,
  createQueue,
  sizeCheck,
} from "@fewnorm/backend";
import { checkOptions } from "@fewnorm/tensor";
import { loadEngine } from "./engine/binary.ts";
import { HEAP_BASE, MAX_THREADS } from "./engine/control.ts";
import { createHeap } from "./engine/heap.ts";
import { canShareMemory, coreCount, mayBlock } from "./engine/platform.ts";
import { createPool } from "./engine/pool.ts";
import type { Simd } from "./engine/simd.ts";
import { createExecutable, type EngineContext } from "./executable.ts";
import { createEngineState, type EngineState } from "./state.ts";

/** Options of {@link createWasmBackend}. */
export interface WasmBackendOptions {
  /**
   * Threads that share the work. Default: the number of cores. The caller is one of them, and waits, in Node and in workers;
   * called by a page's main thread, all are workers, unless memory cannot be shared.
   */
  readonly threads?: number;
  /**
   * Default "auto": "wide" (vectors of 8 floats) in Node 24 and 26 on x64 with AVX2, else "relaxed" (fused multiply-add)
   * where there is any, else "plain".
   */
  readonly simd?: Simd | "auto";
}

/** Tensors are addressed with 32 bits. */
const MAX_TENSOR_BYTES = 2 ** 31 - 1;

/**
 * The CPU engine: WebAssembly SIMD on all cores. A run with one number of threads is bit-identical every time;
 * different numbers of threads agree up to the rounding of sums over the batch. Without shared memory (pages
 * that are not cross-origin isolated) it runs on the calling thread, which is blocked for a run: on such a page, call it in
 * a worker.
 * @throws RangeError for an impossible number of threads or an unknown `simd`, Error without WebAssembly SIMD.
 */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<Backend> {
  checkOptions("createWasmBackend", options, { threads: "number", simd: "string" });
  const wanted = options.threads ?? (await coreCount());
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_THREADS) {
    throw new RangeError(
      `createWasmBackend: threads is ${wanted}; it must be a whole number from 1 to ${MAX_THREADS}`,
    );
  }
  const shares = canShareMemory();
  const threads = shares ? wanted : 1;
  // A page's main thread does not compute where a worker can.
  const binary = await loadEngine(options.simd ?? "auto", shares && (threads > 1 || !mayBlock));
  const heap = createHeap(HEAP_BASE, binary.shared);
  const pool = await createPool(binary, heap.memory, threads);
  const queue = createQueue();
  const lifetime = createLifetime("the backend", "create another");
  let workspace = { address: 0, bytes: 0 };
  const context: EngineContext = {
    heap,
    pool,
    queue,
    lifetime,
    workspace: {
      user: undefined,
      get address() {
        return workspace.address;
      },
      reserve(bytes) {
        if (bytes <= workspace.bytes) return;
        context.workspace.user = undefined;
        heap.free(workspace.address);
        try {
          workspace = { address: heap.allocate(bytes), bytes };
        } catch (error) {
          // The executables that there are still need theirs, if elsewhere.
          if (workspace.bytes > 0) workspace.address = heap.allocate(workspace.bytes);
          throw error;
        }
      },
    },
  };
  const description = `wasm (${binary.simd} SIMD, ${threads} ${threads === 1 ? "thread" : "threads"})`;
  const sizes = sizeCheck(description, MAX_TENSOR_BYTES);
  return {
    name: "wasm",
    description,
    precision: "float32",
    limits: { maxTensorBytes: MAX_TENSOR_BYTES, threads },
    async createState(specs) {
      lifetime.check("createState");
      checkSpecs(specs);
      sizes.states(specs);
      return createEngineState(context, specs);
    },
    async compile(graph, state) {
      lifetime.check("compile");
      if (state !== undefined && (state as Partial<EngineState>).heap !== heap) {
        throw new Error("compile: the state belongs to another backend; create it on this one");
      }
      const own = state as EngineState | undefined;
      own?.lifetime.check("compile");
      checkStates(graph, own?.specs ?? []);
      sizes.graph(graph);
      return queue.enter(() => createExecutable(context, graph, own));
    },
    async dispose() {
      if (lifetime.ended) return;
      lifetime.end();
      await queue.enter(() => pool.dispose());
    },
  };
}
