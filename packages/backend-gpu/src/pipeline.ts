// The kernels of a plan as a pipeline of gpu.js, and its results as arrays.

import { sizeOf } from "@fewnorm/tensor";
import type { GpuInstance, KernelFunction, Pipeline, Rows } from "./gpu-js.ts";
import type { Lowered } from "./lowered.ts";
import type { Plan } from "./plan.ts";

export interface PlanPipeline {
  readonly pipeline: Pipeline;
  /** Frees the pipeline and its kernels. */
  destroy(): Promise<void>;
}

/** A pipeline that takes the plan's arguments in their order and gives the arrays `wanted` as r0, r1, … */
export function createPlanPipeline(
  gpu: GpuInstance,
  plan: Plan,
  wanted: readonly Lowered[],
): PlanPipeline {
  const known = new Map<string, KernelFunction>();
  const sizes = new Map(plan.kernels.map(({ results, threads }) => [results[0], `${threads}`]));
  const functions = plan.kernels.map(({ source, threads, inputs }) => {
    // WebGL's kernels are made for arguments of one kind and size each: given ones, or other kernels' results.
    const kinds = inputs.map((of) => sizes.get(of) ?? `given ${sizeOf(of.shape)}`);
    const identity = `${threads}; ${kinds.join("; ")}; ${source}`;
    const kernel =
      known.get(identity) ?? gpu.createKernel(source, { output: threads, precision: "single" });
    known.set(identity, kernel);
    return kernel;
  });
  const body = (...given: readonly unknown[]) => {
    const handles = new Map(plan.arguments.map((of, i) => [of, given[i]]));
    for (const [i, { inputs, results }] of plan.kernels.entries()) {
      const kernel = functions[i] as KernelFunction;
      handles.set(results[0], kernel(...inputs.map((of) => handles.get(of))));
    }
    return Object.fromEntries(wanted.map((of, i) => [`r${i}`, handles.get(of)]));
  };
  // gpu.js makes as many handles as the function has parameters.
  Object.defineProperty(body, "length", { value: plan.arguments.length });
  const pipeline = gpu.createPipeline(body);
  return {
    pipeline,
    async destroy() {
      await pipeline.destroy();
      for (const kernel of known.values()) kernel.destroy();
    },
  };
}

/** The elements of a result, which gpu.js gives as rows of rows. */
export function flatten(rows: Rows, size: number): Float32Array {
  let first: Rows = rows;
  while (Array.isArray(first)) first = first[0] as Rows;
  const row = first as Float32Array;
  if (row === rows) return row.subarray(0, size);
  // Rows that lie side by side in one buffer, from its beginning on.
  if (row.byteOffset === 0 && row.buffer.byteLength >= 4 * size) {
    return new Float32Array(row.buffer, 0, size);
  }
  const values = new Float32Array(size);
  let at = 0;
  const append = (part: Rows): void => {
    if (!ArrayBuffer.isView(part)) {
      for (const one of part) append(one);
      return;
    }
    values.set(part.subarray(0, size - at), at);
    at = Math.min(size, at + part.length);
  };
  append(rows);
  return values;
}

/** Bytes of intermediate arrays when gpu.js shares them among kernels with equal threads, as it does. */
export function workspaceBytes({ kernels }: Plan): number {
  const lastUse = new Map<Lowered, number>();
  for (const [i, { inputs }] of kernels.entries()) for (const of of inputs) lastUse.set(of, i);
  const free = new Map<string, number>();
  const releases = new Map<number, string[]>();
  let bytes = 0;
  for (const [i, { threads, results }] of kernels.entries()) {
    const identity = String(threads);
    for (const released of releases.get(i) ?? []) free.set(released, (free.get(released) ?? 0) + 1);
    const spare = free.get(identity) ?? 0;
    if (spare > 0) free.set(identity, spare - 1);
    else bytes += 4 * sizeOf(threads);
    const last = lastUse.get(results[0]);
    if (last !== undefined) releases.set(last + 1, [...(releases.get(last + 1) ?? []), identity]);
  }
  return bytes;
}
