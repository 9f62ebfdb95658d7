// Which results one kernel computes together. A device has to be told of each kernel, and where one reads what another
// has computed, it waits for it to end: small ones that do not need each other are told and waited for once.

import { sizeOf } from "@fewnorm/tensor";
import type { Kernel } from "./kernel/kernel.ts";
import type { Lowered } from "./lowered.ts";

/** Stages for which what nobody needs yet waits for others to join: longer, and much memory would wait with it. */
const PATIENCE = 4;

interface Group {
  readonly results: [Lowered, ...Lowered[]];
  /** The arrays that it reads, each by its first result. */
  arrays: ReadonlySet<Lowered>;
  threads: number;
}

export interface GroupOptions {
  /** These are read by the host, each on its own. */
  readonly fetched: ReadonlySet<Lowered>;
  readonly mostArrays: number;
  /** Threads of a kernel for several results; one of more keeps a device busy by itself. */
  readonly mostThreads: number;
}

/**
 * The results of kernels for one result each, in groups, and in an order in which every input precedes its use. Stage
 * after stage, kernels are taken whose inputs are there and which the longest chain of kernels waits for; the others
 * join them where the arrays that they read allow it.
 */
export function groupsOf(
  kernels: readonly Kernel[],
  { fetched, mostArrays, mostThreads }: GroupOptions,
): Kernel["results"][] {
  const groups: Group[] = [];
  const groupOf = new Map<Lowered, Group>();
  const arrayOf = (of: Lowered): Lowered => groupOf.get(of)?.results[0] ?? of;
  const latest = latestStages(kernels);
  const computed = new Set(kernels.map(({ results }) => results[0]));
  let waiting = kernels.map((kernel) => ({ kernel, since: -1 }));
  for (let stage = 0; waiting.length > 0; stage++) {
    const isReady = ({ inputs }: Kernel) =>
      inputs.every((of) => !computed.has(of) || groupOf.has(of));
    const ready = waiting.filter(({ kernel }) => isReady(kernel));
    const open: Group[] = [];
    for (const one of ready) if (one.since < 0) one.since = stage;
    const urgent = ready.filter(
      ({ kernel, since }) =>
        stage >= Math.min(latest.get(kernel) as number, since + PATIENCE) ||
        isAlone(kernel.results[0]),
    );
    const chosen = new Set(urgent);
    for (const { kernel } of urgent) take(kernel, open, true);
    for (const one of ready) {
      if (!chosen.has(one) && take(one.kernel, open, false)) chosen.add(one);
    }
    waiting = waiting.filter((one) => !chosen.has(one));
  }
  return groups.map(({ results }) => results);

  function isAlone(result: Lowered): boolean {
    return sizeOf(result.shape) > mostThreads || fetched.has(result);
  }

  function take({ inputs, results: [result] }: Kernel, open: Group[], now: boolean): boolean {
    const arrays = new Set(inputs.map(arrayOf));
    const threads = sizeOf(result.shape);
    const alone = isAlone(result);
    const joined = alone ? undefined : closest(open, { arrays, threads, mostArrays, mostThreads });
    if (joined === undefined && !now) return false;
    const group = joined ?? { results: [result], arrays, threads };
    groupOf.set(result, group);
    if (joined === undefined) {
      groups.push(group);
      if (!alone) open.push(group);
    } else {
      joined.results.push(result);
      joined.arrays = new Set([...group.arrays, ...arrays]);
      joined.threads += threads;
    }
    return true;
  }
}

/** Of each kernel the last stage that delays nothing. */
function latestStages(kernels: readonly Kernel[]): Map<Kernel, number> {
  const makers = new Map(kernels.map((kernel) => [kernel.results[0], kernel]));
  const after = new Map<Kernel, number>();
  let longest = 0;
  for (const kernel of kernels.toReversed()) {
    const own = after.get(kernel) ?? 0;
    after.set(kernel, own);
    longest = Math.max(longest, own);
    for (const of of kernel.inputs) {
      const maker = makers.get(of);
      if (maker !== undefined) after.set(maker, Math.max(after.get(maker) ?? 0, own + 1));
    }
  }
  return new Map(kernels.map((kernel) => [kernel, longest - (after.get(kernel) as number)]));
}

/** The group that has to read the fewest arrays more, of those that may. */
function closest(
  groups: readonly Group[],
  more: {
    readonly arrays: ReadonlySet<Lowered>;
    readonly threads: number;
    readonly mostArrays: number;
    readonly mostThreads: number;
  },
): Group | undefined {
  let best: Group | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    const added = [...more.arrays].filter((of) => !group.arrays.has(of)).length;
    const fits =
      group.arrays.size + added <= more.mostArrays &&
      group.threads + more.threads <= more.mostThreads;
    if (fits && added < fewest) [best, fewest] = [group, added];
  }
  return best;
}
