// The CPU engine: WebAssembly SIMD, one plan for a whole step.
export {};
