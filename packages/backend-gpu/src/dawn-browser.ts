// Stands in for dawn.ts in browsers, which bring WebGPU or do without.

export async function createDawn(): Promise<unknown> {
  throw new Error("navigator.gpu is missing; use a browser that has WebGPU, on https or localhost");
}
