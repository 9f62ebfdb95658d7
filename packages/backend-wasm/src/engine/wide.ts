// The engine for vectors of 8 floats. WebAssembly has vectors of 4; V8 can compile two that are side by side as one for
// AVX2, which is experimental and off unless asked for. It is asked for while the engine is compiled, and not longer:
// all of its code is made at once then, by the optimizing compiler, rather than bit by bit while it runs.

import { isNode, nodeFiles, nodeV8 } from "./platform.ts";

/** Versions of V8 that the engine is tested with: an experiment may fail in others, even stop the process. */
const TESTED = ["13.6", "14.6"];

// Inlining goes by what the baseline compiler's code has seen; without that V8 14.6 stops the process.
const FLAGS =
  "--no-wasm-inlining --no-liftoff --no-wasm-lazy-compilation --experimental-wasm-revectorize";
const USUAL_FLAGS =
  "--no-experimental-wasm-revectorize --wasm-lazy-compilation --liftoff --wasm-inlining";

/** What there must be for `compileWide`. */
export const wideNeeds =
  "Node 24 or 26 on an x64 processor with AVX2 (as /proc/cpuinfo says in Linux)";

/** Compiles the engine's wide build for vectors of 8 floats; undefined where that can't be had. */
export async function compileWide(
  binary: Uint8Array<ArrayBuffer>,
): Promise<WebAssembly.Module | undefined> {
  if (!(await hasWideVectors())) return undefined;
  const v8 = await nodeV8();
  try {
    v8.setFlagsFromString(FLAGS);
  } catch {
    return undefined;
  }
  try {
    return new WebAssembly.Module(binary);
  } finally {
    v8.setFlagsFromString(USUAL_FLAGS);
  }
}

async function hasWideVectors(): Promise<boolean> {
  if (!isNode || process.arch !== "x64") return false;
  const { v8_enable_wasm_simd256_revec: compiledIn } = process.config
    .variables as typeof process.config.variables & { v8_enable_wasm_simd256_revec?: number };
  if (!compiledIn) return false;
  const [version, build] = process.versions.v8.split("-");
  const tested = TESTED.some((start) => version?.startsWith(`${start}.`));
  if (!tested || !build?.startsWith("node")) return false;
  // Elsewhere few processors lack AVX2, and there is no way to ask. Results are right on those, but late.
  if (process.platform !== "linux") return true;
  const { readFile } = await nodeFiles();
  return /\bavx2\b/.test(await readFile("/proc/cpuinfo", "utf8").catch(() => ""));
}
