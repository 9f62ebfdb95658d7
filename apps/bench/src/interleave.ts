// Measures several cases side by side: in rounds, each in a random order, every sample kept.

import { foldIn, type Key, permutation } from "@fewnorm/tensor";
import { turn } from "@fewnorm/train";

/** Something whose time is measured. */
export interface Case {
  readonly name: string;
  /** Makes ready what one run needs; not timed. */
  prepare?(round: number): void | Promise<void>;
  run(): Promise<unknown>;
  /**
   * Set where `run` resolves to the milliseconds that count, to undefined when it was interrupted, or to "over" when
   * it cannot go on, which leaves the case out from then on.
   */
  readonly ownClock?: true;
  /**
   * Set where each timed run comes after another one, also prepared: what other cases leave in the caches is not what
   * this one would find there in use. To runs of `LONG` and more it makes no difference.
   */
  readonly twice?: true;
  /** Rounds that it takes part in, for what is slow; default all. */
  readonly rounds?: number;
}

/** In milliseconds. */
const LONG = 1000;

/** A case's samples, by round. */
export interface Series {
  readonly name: string;
  readonly milliseconds: number[];
}

/** Options of {@link interleave}. */
export interface InterleaveOptions {
  /** What the orders are drawn from. */
  readonly key: Key;
  /** No round begins after this, in `now`'s milliseconds, unless warming up left less than a quarter of the time … */
  readonly deadline: number;
  /** … or there have been fewer than so many; default 3. */
  readonly minRounds?: number;
  /** Default 300. */
  readonly maxRounds?: number;
  /** Ends the measurement after the run that is going on. */
  readonly signal?: AbortSignal;
  readonly onRound?: (round: number) => void;
  readonly now?: () => number;
}

/** How long warming up takes, in milliseconds and as a share of the time: engines compile hot code anew, and better. */
const warmUp = { most: 1000, share: 0.05 };

/** The share of the time that is for rounds, however long the first runs took: a GPU's driver compiles for long. */
const leastShare = 0.25;

/**
 * Runs every case to warm up, once or more often, then round by round in an order drawn for each round, so that what
 * drifts – clock rates, other work on the machine – falls on all cases alike. An interrupted round leaves
 * some cases with one sample more than others.
 */
export async function interleave(
  cases: readonly Case[],
  options: InterleaveOptions,
): Promise<Series[]> {
  const { key, deadline, minRounds = 3, maxRounds = 300, signal, onRound } = options;
  const now = options.now ?? (() => performance.now());
  const series = cases.map(({ name }): Series => ({ name, milliseconds: [] }));
  const over = new Set<number>();
  /** The time of each case's last run. */
  const last: number[] = cases.map(() => 0);

  /** One run of a case; undefined when interrupted. */
  async function once(index: number, round: number): Promise<number | "over" | undefined> {
    await turn();
    if (signal?.aborted) return undefined;
    if (over.has(index)) return "over";
    const { prepare, run, ownClock, twice } = cases[index] as Case;
    await prepare?.(round);
    if (twice && (last[index] as number) < LONG) {
      await run();
      await prepare?.(round);
    }
    const begin = now();
    const result = await run();
    const time = now() - begin;
    last[index] = time;
    if (!ownClock) return time;
    if (result === "over") over.add(index);
    return result as number | "over" | undefined;
  }

  const begin = now();
  const warm = begin + Math.min(warmUp.most, warmUp.share * (deadline - begin));
  do {
    for (let i = 0; i < cases.length; i++) {
      if ((await once(i, 0)) === undefined) return series;
    }
  } while (now() < warm);
  const end = Math.max(deadline, now() + leastShare * (deadline - begin));
  for (let round = 0; round < maxRounds; round++) {
    if (round >= minRounds && now() >= end) break;
    onRound?.(round);
    for (const i of permutation(foldIn(key, round), cases.length)) {
      if (round >= (cases[i]?.rounds ?? maxRounds)) continue;
      const sample = await once(i, round + 1);
      if (sample === undefined) return series;
      if (sample !== "over") series[i]?.milliseconds.push(sample);
    }
  }
  return series;
}
