// What samples say: medians, ratios of paired samples, and how sure one can be of them.

import { type Key, randomBits } from "@fewnorm/tensor";

/** A median, or a ratio of medians, with its confidence interval. */
export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Number of samples. */
  readonly count: number;
}

/**
 * Whether the interval is worth its name. Even the least and the largest of five values do not hold the median in 95 of 100
 * cases, but in 1 − 2·½⁵.
 */
export const isSure = ({ count }: Estimate): boolean => count >= 6;

/** Options of {@link estimateMedian}. */
export interface EstimateOptions {
  /** What the resampling draws from. */
  readonly key: Key;
  /** Confidence level, default 0.95. */
  readonly level?: number;
  /** Default 1,000. */
  readonly resamples?: number;
}

/**
 * The middle value; of an even number of values the mean of the two in the middle.
 * @throws RangeError without values.
 */
export function median(values: ArrayLike<number>): number {
  return sortedQuantile(Float64Array.from(values).sort(), 0.5);
}

/** The q-quantile of ascending values, with linear interpolation between neighbours (Hyndman and Fan's type 7). */
export function sortedQuantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw new RangeError("sortedQuantile: there are no values; give some");
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (place - below) * (high - low);
}

/**
 * What `statistic` says of `count` rounds, given by their numbers, with its bootstrap interval: `resamples` times as many
 * rounds are drawn, with repetition, as there are; the interval holds the middle share `level` of what the statistic says of
 * those (percentile method, Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979); undefined without rounds.
 */
function estimate(
  count: number,
  statistic: (rounds: Uint32Array) => number,
  { key, level = 0.95, resamples = 1000 }: EstimateOptions,
): Estimate | undefined {
  if (count === 0) return undefined;
  const rounds = new Uint32Array(count).map((_, i) => i);
  const whole = statistic(rounds);
  const bits = randomBits(key, resamples * count);
  const said = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < count; i++) {
      rounds[i] = Math.floor(((bits[r * count + i] as number) * count) / 2 ** 32);
    }
    said[r] = statistic(rounds);
  }
  said.sort();
  const tail = (1 - level) / 2;
  return {
    median: whole,
    low: sortedQuantile(said, tail),
    high: sortedQuantile(said, 1 - tail),
    count,
  };
}

/** The median of those of `values` whose numbers are given. */
const medianOf = (values: ArrayLike<number>, rounds: Uint32Array): number =>
  sortedQuantile(Float64Array.from(rounds, (round) => values[round] as number).sort(), 0.5);

/** The median with its bootstrap interval; undefined without values. */
export function estimateMedian(
  values: ArrayLike<number>,
  options: EstimateOptions,
): Estimate | undefined {
  return estimate(values.length, (rounds) => medianOf(values, rounds), options);
}

/** a[i]/b[i] of the samples that have a partner. */
export function pairedRatios(a: readonly number[], b: readonly number[]): number[] {
  const pairs = Math.min(a.length, b.length);
  return Array.from({ length: pairs }, (_, i) => (a[i] as number) / (b[i] as number));
}

/**
 * The median of the paired ratios a[i]/b[i], with its interval; undefined without a pair.
 * Samples are paired by round, so what slows a whole round down cancels.
 */
export function estimateRatio(
  a: readonly number[],
  b: readonly number[],
  options: EstimateOptions,
): Estimate | undefined {
  return estimateMedian(pairedRatios(a, b), options);
}

/**
 * What `a` takes more than `base` as a part of what `b` takes more: (median of a[i]/base[i] − 1) / (median of b[i]/base[i] − 1),
 * with its interval; undefined without three samples of a round.
 */
export function estimateExcess(
  a: readonly number[],
  b: readonly number[],
  base: readonly number[],
  options: EstimateOptions,
): Estimate | undefined {
  const [more, most] = [pairedRatios(a, base), pairedRatios(b, base)];
  return estimate(
    Math.min(more.length, most.length),
    (rounds) => (medianOf(more, rounds) - 1) / (medianOf(most, rounds) - 1),
    options,
  );
}

/**
 * The 95% interval of a share, of which `successes` out of `count` independent trials are an estimate
 * (Wilson, 1927). @throws RangeError unless 0 ≤ successes ≤ count and count ≥ 1.
 */
export function wilsonInterval(successes: number, count: number): { low: number; high: number } {
  if (!(count >= 1 && successes >= 0 && successes <= count)) {
    throw new RangeError(
      `wilsonInterval: ${successes} of ${count}; give a count from 1, and from 0 to count successes`,
    );
  }
  const z = 1.959963984540054;
  const share = successes / count;
  const middle = share + z ** 2 / (2 * count);
  const half = z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  const scale = 1 + z ** 2 / count;
  return { low: (middle - half) / scale, high: (middle + half) / scale };
}
