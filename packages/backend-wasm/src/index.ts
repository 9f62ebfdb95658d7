// The CPU engine: WebAssembly SIMD, one plan for a whole step.
export type { Simd } from "./engine/simd.ts";
export * from "./wasm-backend.ts";
