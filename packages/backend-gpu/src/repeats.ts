// What kernels compute anew that others have computed. On a GPU the steps of a training are a chain of kernels, many of
// which do next to nothing but have to be waited for: one that takes each thread of the next no more than a few statements
// is computed there, and the chain is shorter. Who else reads its result still finds it.

import { sizeOf } from "@fewnorm/tensor";
import type { Kernel } from "./kernel/kernel.ts";
import { type Lowered, readsOften } from "./lowered.ts";

/** Statements of one thread more than it had; they take their time one after the other. */
const MOST_OF_THREAD = 1024;

/** Characters of a kernel; longer ones take long to compile. */
const MOST_TEXT = 8192;

/** Kernels that may still wait for so many others without delaying the last one are not worth it. */
const SLACK = 2;

export interface RepeatOptions {
  readonly mostArrays: number;
  /** Statements more than a kernel had, of all its threads together. */
  readonly mostRepeats: number;
  /** The kernel of one result that computes these inputs itself. */
  emit(result: Lowered, repeated: ReadonlySet<Lowered>): Kernel;
}

/** A kernel that computes some of its inputs itself. */
export interface Repeating {
  readonly kernel: Kernel;
  readonly repeated: ReadonlySet<Lowered>;
}

/**
 * Those that do better to compute inputs themselves, by their result, of kernels of one result each in an order in which
 * every input precedes its use.
 */
export function repeatsOf(
  kernels: readonly Kernel[],
  { mostArrays, mostRepeats, emit }: RepeatOptions,
): ReadonlyMap<Lowered, Repeating> {
  const repeats = new Map<Lowered, Repeating>();
  if (mostRepeats === 0) return repeats;
  const slack = slackOf(kernels);
  const depths = new Map<Lowered, number>();
  const depthOf = ({ inputs }: Kernel) => Math.max(0, ...inputs.map((of) => depths.get(of) ?? 0));
  for (const kernel of kernels) {
    const [result] = kernel.results;
    const fits = (tried: Kernel): boolean => {
      const more = tried.work - kernel.work;
      return (
        tried.inputs.length <= mostArrays &&
        tried.source.length <= MOST_TEXT &&
        more <= MOST_OF_THREAD &&
        more * sizeOf(result.shape) <= mostRepeats
      );
    };
    let best = kernel;
    let repeated: ReadonlySet<Lowered> = new Set();
    const isUrgent =
      (slack.get(result) as number) <= SLACK &&
      !readsOften(result, (of) => kernel.inputs.includes(of));
    while (isUrgent && depthOf(best) > 0) {
      const latest = best.inputs.filter((of) => depths.get(of) === depthOf(best));
      if (latest.some(({ convolves }) => convolves !== undefined)) break;
      const more = new Set([...repeated, ...latest]);
      const tried = emit(result, more);
      if (!fits(tried)) break;
      [best, repeated] = [tried, more];
    }
    if (repeated.size > 0) repeats.set(result, { kernel: best, repeated });
    depths.set(result, 1 + depthOf(best));
  }
  return repeats;
}

/** For how many others each result's kernel may wait beyond those that it needs, delaying none. */
function slackOf(kernels: readonly Kernel[]): Map<Lowered, number> {
  const before = new Map<Lowered, number>();
  for (const { inputs, results } of kernels) {
    before.set(results[0], 1 + Math.max(0, ...inputs.map((of) => before.get(of) ?? 0)));
  }
  const after = new Map<Lowered, number>();
  for (const { inputs, results } of kernels.toReversed()) {
    const own = 1 + (after.get(results[0]) ?? 0);
    for (const of of inputs) after.set(of, Math.max(after.get(of) ?? 0, own));
  }
  const longest = Math.max(0, ...before.values());
  return new Map([...before].map(([of, depth]) => [of, longest - depth - (after.get(of) ?? 0)]));
}
