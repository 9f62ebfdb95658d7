// Node's own modules, loaded when a function that needs them is called. The import expressions hold no
// literal, so that bundlers for the browser leave them alone.

const names = {
  files: "node:fs/promises",
  fs: "node:fs",
  zlib: "node:zlib",
  stream: "node:stream",
  path: "node:path",
  threads: "node:worker_threads",
};

/** Whether this is Node, or a runtime that offers Node's modules. */
export const isNode = typeof process !== "undefined" && Boolean(process.versions?.node);

export const nodeFiles = (): Promise<typeof import("node:fs/promises")> => load(names.files);
export const nodeFs = (): Promise<typeof import("node:fs")> => load(names.fs);
export const nodeZlib = (): Promise<typeof import("node:zlib")> => load(names.zlib);
export const nodeStream = (): Promise<typeof import("node:stream")> => load(names.stream);
export const nodePath = (): Promise<typeof import("node:path")> => load(names.path);
export const nodeThreads = (): Promise<typeof import("node:worker_threads")> => load(names.threads);

function load<Module>(name: string): Promise<Module> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ name);
}
