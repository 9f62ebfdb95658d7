// Finds out what WebAssembly can do here, and makes the engine's module for it.

import { plain, relaxed } from "./binaries.js";
import { isNode, nodeV8 } from "./platform.ts";

/** Which instructions the engine uses: relaxed SIMD multiplies and adds in one. */
export type Simd = "plain" | "relaxed";

/** A compiled engine: the module takes shared memory or memory of its own. */
export interface EngineBinary {
  readonly simd: Simd;
  readonly shared: boolean;
  readonly module: WebAssembly.Module;
}

/** Node 20 knows relaxed SIMD, but hides it behind a flag. */
async function enableRelaxedSimd(): Promise<void> {
  if (!isNode) return;
  try {
    const v8 = await nodeV8();
    v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
  } catch {
    // An engine without the flag either has relaxed SIMD anyway or does without.
  }
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * The binaries are compiled for shared memory. The same code runs on memory of one's own when the import says so:
 * in ("env", "memory", memory, limits), the flag 3 (shared, with a maximum) becomes 1.
 */
function withOwnMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const pattern = [3, ...ascii("env"), 6, ...ascii("memory"), 2, 3];
  const at = bytes.findIndex((_, i) => pattern.every((byte, j) => bytes[i + j] === byte));
  if (at < 0)
    throw new Error("withOwnMemory: the engine does not import memory; rebuild the package");
  const copy = bytes.slice();
  copy[at + pattern.length - 1] = 1;
  return copy;
}

const ascii = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

/**
 * The engine for `simd` ("auto": relaxed where there is any).
 * @throws Error when this environment cannot run it.
 */
export async function loadEngine(simd: Simd | "auto", shared: boolean): Promise<EngineBinary> {
  if (simd !== "plain") await enableRelaxedSimd();
  const candidates: Simd[] = simd === "auto" ? ["relaxed", "plain"] : [simd];
  for (const candidate of candidates) {
    const bytes = decode(candidate === "relaxed" ? relaxed : plain);
    const binary = shared ? bytes : withOwnMemory(bytes);
    if (!WebAssembly.validate(binary)) continue;
    return { simd: candidate, shared, module: await WebAssembly.compile(binary) };
  }
  throw new Error(
    `createWasmBackend: WebAssembly with ${candidates.at(-1)} SIMD is not supported here; use another engine or a newer browser`,
  );
}
