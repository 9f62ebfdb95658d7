// Counts what is held on devices, and how that changes in the course of many steps. For Node and for pages.

import { createGpuBackend, type GpuMode } from "@fewnorm/backend-gpu";
import { prepare, x } from "./small-step.ts";

/** What is held at a moment. */
export interface Held {
  /** Of WebGPU. */
  readonly buffers: number;
  /** Of WebGL. */
  readonly textures: number;
  /** Of WebAssembly memories; they go when nobody refers to them, which can't be seen. */
  readonly bytes: number;
}

// biome-ignore lint/suspicious/noExplicitAny: methods of any kind are put in place of methods of the same kind
type Method = (this: any, ...given: any[]) => any;

interface Memory {
  readonly buffer: { readonly byteLength: number };
}

const host = globalThis as unknown as {
  readonly WebAssembly: { Memory: new (descriptor: object) => Memory };
};

/** What makes things and frees them; what a platform lacks is left out. */
export interface Makers {
  readonly GPUDevice?: { readonly prototype: object };
  readonly GPUBuffer?: { readonly prototype: object };
  readonly WebGLRenderingContext?: { readonly prototype: object };
  readonly WebGL2RenderingContext?: { readonly prototype: object };
}

/** Counts from now on. @returns what is held at the moment */
export function countHeld(makers: Makers): () => Held {
  const buffers = new Set<unknown>();
  const textures = new Set<unknown>();
  watch(makers.GPUDevice, "createBuffer", (_self, _given, buffer) => buffers.add(buffer));
  watch(makers.GPUBuffer, "destroy", (buffer) => buffers.delete(buffer));
  for (const context of [makers.WebGLRenderingContext, makers.WebGL2RenderingContext]) {
    watch(context, "createTexture", (_self, _given, texture) => textures.add(texture));
    watch(context, "deleteTexture", (_self, [texture]) => textures.delete(texture));
  }
  const memories = new Set<Memory>();
  const { Memory } = host.WebAssembly;
  host.WebAssembly.Memory = class extends Memory {
    constructor(descriptor: object) {
      super(descriptor);
      memories.add(this);
    }
  };
  return () => ({
    buffers: buffers.size,
    textures: textures.size,
    bytes: [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
  });
}

/** Calls `seen` after each call of a method. */
function watch(
  maker: { readonly prototype: object } | undefined,
  name: string,
  seen: (self: unknown, given: readonly unknown[], result: unknown) => void,
): void {
  if (maker === undefined) return;
  const prototype = maker.prototype as Record<string, Method>;
  const method = prototype[name] as Method;
  prototype[name] = function (...given) {
    const result = method.apply(this, given);
    seen(this, given, result);
    return result;
  };
}

/** What a mode holds in the course of a training. */
export interface Course {
  readonly after10: Held;
  readonly after300: Held;
  readonly afterReading: Held;
  readonly afterDispose: Held;
  readonly residentStates: number;
}

export async function trainHolding(mode: GpuMode, held: () => Held): Promise<Course> {
  const backend = await createGpuBackend({ mode });
  try {
    const { state, executable } = await prepare(backend);
    for (let i = 0; i < 10; i++) await executable.run({ x });
    const after10 = held();
    for (let i = 10; i < 300; i++) await executable.run({ x });
    const { residentStates } = executable;
    const after300 = held();
    await state.read("w");
    const afterReading = held();
    await executable.dispose();
    return { after10, after300, afterReading, afterDispose: held(), residentStates };
  } finally {
    await backend.dispose();
  }
}
