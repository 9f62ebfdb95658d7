// gpu.js as a backend: WebGPU, WebGL, WebAssembly and plain JavaScript.
export type { GpuExecutable } from "./executable.ts";
export { createGpuBackend, type GpuBackend, type GpuBackendOptions } from "./gpu-backend.ts";
export { type GpuMode, gpuModes } from "./modes.ts";
