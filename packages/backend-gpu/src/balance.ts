// How WebAssembly's threads share a kernel. gpu.js gives each as many elements as the next; where some rows are computed
// in another way than others, and in less time, it is the work that they share here. That takes members of gpu.js that
// are not documented: where they are not what is expected, its own way stays.

import { type RowRange, sizeOf } from "@fewnorm/tensor";
import type { Pipeline } from "./gpu-js.ts";
import type { Kernel } from "./kernel/kernel.ts";

/** The first element of each kernel and the one after its last, of one thread. */
type Ranges = number[];

/** Threads begin where SIMD can. */
const LANES = 4;

/**
 * Shares the work of a pipeline that has run once. The function is called before each run, with the values of the plan's
 * slots: which rows are which may have changed.
 * @returns undefined where there is nothing to share.
 */
export function createBalance(
  pipeline: Pipeline,
  kernels: readonly Kernel[],
): ((slots: Float32Array) => void) | undefined {
  const { _executor: executor } =
    (pipeline as { pipeline?: { _executor?: { _entry?: unknown } | null } }).pipeline ?? {};
  const { workerRanges } = (executor?._entry ?? {}) as { workerRanges?: Ranges[] };
  const fits =
    Array.isArray(workerRanges) &&
    workerRanges.length > 1 &&
    workerRanges.every((ranges) => ranges.length === 2 * kernels.length);
  const uneven = [...kernels.entries()].filter(([, { partWork }]) => partWork.length > 1);
  if (!fits || uneven.length === 0) return undefined;
  return (slots) => {
    for (const [i, kernel] of uneven) {
      const ends = endsOf(kernel, slots, workerRanges.length);
      for (const [worker, ranges] of workerRanges.entries()) {
        ranges[2 * i] = ends[worker - 1] ?? 0;
        ranges[2 * i + 1] = ends[worker] as number;
      }
    }
  };
}

/** Where each worker's elements end. */
function endsOf(kernel: Kernel, slots: Float32Array, workers: number): number[] {
  const [{ shape, parts = [] }] = kernel.results;
  const [rows = 1] = shape;
  const cells = sizeOf(shape) / rows;
  const shared = kernel.work - kernel.partWork.reduce((sum, work) => sum + work, 0);
  const works = Array.from({ length: rows }, (_, row) => {
    const part = parts.findIndex(({ range, slot }) => liesIn(row, range, slots[slot] as number));
    return shared + (kernel.partWork[part] ?? 0);
  });
  const total = works.reduce((sum, work) => sum + work, 0);
  const ends: number[] = [];
  let [row, done] = [0, 0];
  for (let worker = 1; worker < workers; worker++) {
    const wanted = (total * worker) / workers;
    while (row < rows && done + (works[row] as number) <= wanted) done += works[row++] as number;
    const rest = row === rows ? 0 : (wanted - done) / (works[row] as number);
    ends.push(Math.floor(((row + rest) * cells) / LANES) * LANES);
  }
  return [...ends, rows * cells];
}

/** Whether the range has this row; the slot holds (start + offset) mod modulo. */
function liesIn(row: number, { base, modulo, count }: RowRange, slot: number): boolean {
  const back = row - base - slot;
  return row >= base && row < base + modulo && (back + modulo) % modulo < count;
}
