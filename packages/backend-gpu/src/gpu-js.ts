// gpu.js as this package uses it; its own declarations leave out what is said of a pipeline.

import * as imported from "gpu.js";

/** Rows of rows of numbers, as many levels as a kernel has axes of threads. */
export type Rows = Float32Array | readonly Rows[];

/** A kernel; called while a pipeline is put together, it takes and gives handles. */
export type KernelFunction = ((...handles: readonly unknown[]) => unknown) & { destroy(): void };

/** A plan of kernels. */
export interface Pipeline {
  (...inputs: readonly unknown[]): Promise<Readonly<Record<string, Rows>>>;
  /** `fused-encoder`, `fused-threaded`, `fused-sync` or `generic`. */
  readonly executorKind: string;
  /** What ran: `webgpu`, `webasm`, `gpu`, `cpu`. */
  readonly backend: string | null;
  /** Why the plan does not run as one, where it does not. */
  readonly fallbackReason: string | null;
  destroy(): void | Promise<void>;
}

export interface GpuInstance {
  readonly mode: string;
  createKernel(source: string, settings: Readonly<Record<string, unknown>>): KernelFunction;
  createPipeline(
    body: (...handles: readonly unknown[]) => unknown,
    settings?: Readonly<Record<string, unknown>>,
  ): Pipeline;
  destroy(): Promise<void>;
}

interface GpuJs {
  readonly GPU: new (settings: { readonly mode: string }) => GpuInstance;
  readonly Input: new (values: Float32Array, size: readonly number[]) => unknown;
  readonly WebGPUContext: {
    acquire(): Promise<{ readonly device: unknown; readonly isLost: boolean }>;
    destroy(): Promise<void>;
  };
}

// In Node it is CommonJS, whose exports are on `default`; bundled for a browser, `default` is the class that bears them.
const namespace = imported as unknown as { readonly default?: GpuJs } & GpuJs;

export const gpuJs: GpuJs = namespace.default ?? namespace;
