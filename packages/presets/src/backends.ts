// Backends by name. Each is loaded when it is asked for, so that one that is not used costs nothing.

import type { Backend } from "@fewnorm/backend";
import { unknownName, withChoices } from "./unknown-name.ts";

/** What every backend can be asked for. */
export interface BackendOptions {
  /** Threads that share the work; by default what the backend thinks best. */
  readonly threads?: number | undefined;
}

const backends: Readonly<Record<string, (options: BackendOptions) => Promise<Backend>>> = {
  async wasm({ threads }) {
    const { createWasmBackend } = await import("@fewnorm/backend-wasm");
    return createWasmBackend(threads === undefined ? {} : { threads });
  },
  async reference() {
    const { createReferenceBackend } = await import("@fewnorm/backend-reference");
    return createReferenceBackend({ precision: "float32" });
  },
};

/** Names of all backends, the default first. */
export const backendNames: readonly string[] = Object.keys(backends);

/**
 * The backend of a name, such as `wasm`, ready to be made.
 * @throws RangeError, in one line, for a name that there is not.
 */
export function parseBackend(text: string): (options?: BackendOptions) => Promise<Backend> {
  const backend = Object.hasOwn(backends, text) ? backends[text] : undefined;
  if (backend !== undefined) return (options = {}) => backend(options);
  const problem = unknownName("backend", text, backendNames);
  throw new RangeError(
    `parseBackend: ${withChoices(problem, `backends are ${backendNames.join(", ")}`)}`,
  );
}
