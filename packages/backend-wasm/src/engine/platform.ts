// What Node and browsers have in different places, and what may be done where.

/** What there is in some places only. */
const scope = globalThis as {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly Worker?: unknown;
  readonly DedicatedWorkerGlobalScope?: new () => unknown;
};

export const isNode = typeof process !== "undefined" && process.versions?.node !== undefined;

/** Whether this thread may wait for others: a page's main thread may not. */
export const mayBlock =
  isNode ||
  (scope.DedicatedWorkerGlobalScope !== undefined &&
    globalThis instanceof scope.DedicatedWorkerGlobalScope);

/** Whether memory can be shared with workers: pages need cross-origin isolation for that. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  return isNode || (scope.crossOriginIsolated !== false && scope.Worker !== undefined);
}

export async function coreCount(): Promise<number> {
  if (isNode) return (await load<typeof import("node:os")>("node:os")).availableParallelism();
  return scope.navigator?.hardwareConcurrency ?? 1;
}

export const nodeThreads = () => load<typeof import("node:worker_threads")>("node:worker_threads");

export const nodeFiles = () => load<typeof import("node:fs/promises")>("node:fs/promises");

export const nodeV8 = () => load<typeof import("node:v8")>("node:v8");

/** The import holds no literal, so that bundlers for browsers leave Node's modules alone. */
function load<Module>(name: string): Promise<Module> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ name);
}
