// Backends by name. Each is loaded when it is asked for, so that one that is not used costs nothing.

import type { Backend } from "@fewnorm/backend";
import type { GpuBackendOptions } from "@fewnorm/backend-gpu";
import { checkKind, checkOptions } from "@fewnorm/tensor";
import { unknownName, withChoices } from "./unknown-name.ts";

/** What every backend can be asked for. */
export interface BackendOptions {
  /** Threads that share the work; by default what the backend thinks best. */
  readonly threads?: number | undefined;
}

type Make = (options: BackendOptions) => Promise<Backend>;

const gpu =
  (options: GpuBackendOptions): Make =>
  async () => {
    const { createGpuBackend } = await import("@fewnorm/backend-gpu");
    return createGpuBackend(options);
  };

const backends: Readonly<Record<string, Make>> = {
  async wasm({ threads }) {
    const { createWasmBackend } = await import("@fewnorm/backend-wasm");
    return createWasmBackend(threads === undefined ? {} : { threads });
  },
  async reference() {
    const { createReferenceBackend } = await import("@fewnorm/backend-reference");
    return createReferenceBackend({ precision: "float32" });
  },
  gpu: gpu({}),
  "gpu:webgpu": gpu({ mode: "webgpu" }),
  "gpu:webgl2": gpu({ mode: "webgl2" }),
  "gpu:webasm": gpu({ mode: "webasm" }),
  "gpu:webgl": gpu({ mode: "webgl" }),
  "gpu:cpu": gpu({ mode: "cpu" }),
};

/** Names of all backends, the default first. */
export const backendNames: readonly string[] = Object.keys(backends);

/**
 * The backend of a name, such as `wasm` or `gpu:webgpu`, ready to be made; `gpu` takes the best mode that answers.
 * @throws RangeError, in one line, for a name that there is not; what it returns rejects with a TypeError for options that
 *   there are not.
 */
export function parseBackend(text: string): (options?: BackendOptions) => Promise<Backend> {
  checkKind("parseBackend", "the name", text, "string");
  const backend = Object.hasOwn(backends, text) ? backends[text] : undefined;
  if (backend !== undefined) {
    return async (options = {}) => {
      checkOptions("parseBackend", options, { threads: "number" });
      return backend(options);
    };
  }
  const problem = unknownName("backend", text, backendNames);
  throw new RangeError(
    `parseBackend: ${withChoices(problem, `backends are ${backendNames.join(", ")}`)}`,
  );
}
