// What samples say: medians, ratios of paired samples, and how sure one can be of them.

import { type Key, randomBits } from "@fewnorm/tensor";

/** A median with its confidence interval. */
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
 * The median with its bootstrap interval: `resamples` times as many values are drawn from `values`, with
 * repetition, as there are; the interval holds the middle share `level` of their medians (percentile method,
 * Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979); undefined without values.
 */
export function estimateMedian(
  values: ArrayLike<number>,
  options: EstimateOptions,
): Estimate | undefined {
  const { key, level = 0.95, resamples = 1000 } = options;
  const count = values.length;
  if (count === 0) return undefined;
  const bits = randomBits(key, resamples * count);
  const medians = new Float64Array(resamples);
  const drawn = new Float64Array(count);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < count; i++) {
      const place = Math.floor(((bits[r * count + i] as number) * count) / 2 ** 32);
      drawn[i] = values[place] as number;
    }
    medians[r] = sortedQuantile(drawn.sort(), 0.5);
  }
  medians.sort();
  const tail = (1 - level) / 2;
  return {
    median: median(values),
    low: sortedQuantile(medians, tail),
    high: sortedQuantile(medians, 1 - tail),
    count,
  };
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
