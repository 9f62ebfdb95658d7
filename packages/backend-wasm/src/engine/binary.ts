// Finds out what WebAssembly can do here, and makes the engine's module for it.

import { plain, relaxed } from "./binaries.js";
import { isNode, nodeV8 } from "./platform.ts";
import type { Simd } from "./simd.ts";
import { compileWide, wideNeeds } from "./wide.ts";
import { wide } from "./wide-binary.js";

const binaries: Readonly<Record<Simd, string | undefined>> = { plain, relaxed, wide };

/** A compiled engine: the module takes shared memory or memory of its own. */
export interface EngineBinary {
  readonly simd: Simd;
  readonly shared: boolean;
  readonly module: WebAssembly.Module;
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

/** Node 20 knows relaxed SIMD, but hides it behind a flag. */
async function enableRelaxedSimd(): Promise<void> {
  if (!isNode) return;
  try {
    (await nodeV8()).setFlagsFromString("--experimental-wasm-relaxed-simd");
  } catch {
    // Where flags can't be set there is plain SIMD.
  }
}

/** Undefined where these instructions can't be had. */
async function compile(
  simd: Simd,
  binary: Uint8Array<ArrayBuffer>,
): Promise<WebAssembly.Module | undefined> {
  if (simd === "wide") return compileWide(binary);
  if (simd === "relaxed" && !WebAssembly.validate(binary)) await enableRelaxedSimd();
  return WebAssembly.validate(binary) ? WebAssembly.compile(binary) : undefined;
}

/**
 * The engine for `simd` ("auto": the first of wide, relaxed and plain that there is).
 * @throws RangeError for another word, Error when this environment cannot run it.
 */
export async function loadEngine(simd: Simd | "auto", shared: boolean): Promise<EngineBinary> {
  if (simd !== "auto" && !Object.hasOwn(binaries, simd)) {
    throw new RangeError(
      `createWasmBackend: simd is "${simd}"; give "auto", "wide", "relaxed" or "plain"`,
    );
  }
  const candidates: Simd[] = simd === "auto" ? ["wide", "relaxed", "plain"] : [simd];
  for (const candidate of candidates) {
    const base64 = binaries[candidate];
    if (base64 === undefined) continue;
    const bytes = decode(base64);
    const module = await compile(candidate, shared ? bytes : withOwnMemory(bytes));
    if (module !== undefined) return { simd: candidate, shared, module };
  }
  const advice =
    simd === "wide"
      ? `it takes ${wideNeeds}; choose "auto"`
      : "use another engine or a newer browser";
  throw new Error(
    `createWasmBackend: WebAssembly with ${candidates.at(-1)} SIMD is not supported here; ${advice}`,
  );
}
