// A WebGPU that stands in for the package's own, so that tests can watch it or make it fail.

import { create } from "webgpu";

export interface Device {
  createShaderModule(settings: { readonly code: string }): unknown;
  createBuffer(settings: { readonly size: number; readonly usage: number }): unknown;
  destroy(): void;
}

export interface Adapter {
  requestDevice(settings: unknown): Promise<Device>;
}

export interface Gpu {
  requestAdapter(): Promise<Adapter | null>;
}

/** Calls `body` while `navigator.gpu` is this. */
export async function withGpu<T>(gpu: Gpu, body: () => Promise<T>): Promise<T> {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
  try {
    return await body();
  } finally {
    Reflect.deleteProperty(globalThis, "navigator");
    if (before !== undefined) Object.defineProperty(globalThis, "navigator", before);
  }
}

/** The package's WebGPU, whose adapters and devices may be changed as they are handed out. */
export function alteredGpu(alter: {
  readonly adapter?: (adapter: Adapter) => void;
  readonly device?: (device: Device) => void;
}): Gpu {
  const gpu = create([]) as unknown as Gpu;
  return {
    async requestAdapter() {
      const adapter = await gpu.requestAdapter();
      if (adapter === null) return null;
      alter.adapter?.(adapter);
      const request = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (settings) => {
        const device = await request(settings);
        alter.device?.(device);
        return device;
      };
      return adapter;
    },
  };
}
