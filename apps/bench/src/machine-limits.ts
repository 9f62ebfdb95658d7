// What this machine can do at most, measured with the backend that is profiled.

import type { Backend } from "@fewnorm/backend";
import { createBuilder, key, matmul, multiply, normal, type Shape, sizeOf } from "@fewnorm/tensor";

/** The fastest of some runs of a matrix product that fits the cache, and of a pass over tensors that don't. */
export interface MachineLimits {
  readonly flopsPerMillisecond: number;
  /** Read and written. */
  readonly bytesPerMillisecond: number;
}

const RUNS = 12;
const SIDE = 384;
const LONG: Shape = [4096, 4096];

export async function measureLimits(backend: Backend): Promise<MachineLimits> {
  const product = await fastest(backend, [SIDE, SIDE], 8);
  const pass = await fastest(backend, LONG, 0);
  return {
    flopsPerMillisecond: (8 * 2 * SIDE ** 3) / product,
    bytesPerMillisecond: (2 * 4 * sizeOf(LONG)) / pass,
  };
}

/** Milliseconds of a state's product with itself `times` over, or of its doubling. */
async function fastest(backend: Backend, shape: Shape, times: number): Promise<number> {
  const builder = createBuilder();
  const x = builder.state("x", shape);
  let y = x;
  for (let i = 0; i < times; i++) y = matmul(x, y);
  builder.update("x", times === 0 ? multiply(x, 2) : multiply(y, 0));
  const state = await backend.createState([{ name: "x", shape }]);
  const executable = await backend.compile(builder.finish(), state);
  try {
    const some = normal(key(0), 4096);
    const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => some[i % 4096] as number);
    let least = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) {
      await state.write("x", values);
      const began = performance.now();
      await executable.run();
      least = Math.min(least, performance.now() - began);
    }
    return least;
  } finally {
    await executable.dispose();
    await state.dispose();
  }
}
