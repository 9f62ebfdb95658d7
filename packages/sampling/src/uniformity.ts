// The statistics that the conformance suite judges draws with.

/** The quantile of the standard normal distribution that is exceeded with probability 1e-6. */
const z = 4.753;

/**
 * Pearson's χ² test of equal probabilities. True if the counts are compatible with them; for draws
 * that are uniform, false with a probability of at most 1e-6 (Wilson and Hilferty's approximation,
 * 1931, which is on the safe side for few bins). Wants about 16 draws a bin.
 */
export function looksUniform(counts: ArrayLike<number>): boolean {
  const bins = Array.from(counts);
  const freedom = bins.length - 1;
  if (freedom === 0) return true;
  const expected = bins.reduce((sum, count) => sum + count, 0) / bins.length;
  const statistic = bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const variance = 2 / (9 * freedom);
  return statistic <= freedom * (1 - variance + z * Math.sqrt(variance)) ** 3;
}

/**
 * Whether the mean of independent samples is compatible with `expected`: within 6 standard errors
 * and a thousandth. For 64 samples or more, false by chance with a probability below 1e-6.
 */
export function meanLooksLike(samples: readonly number[], expected: number): boolean {
  const count = samples.length;
  const mean = samples.reduce((sum, value) => sum + value, 0) / count;
  const variance = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return Math.abs(mean - expected) <= 1e-3 + 6 * Math.sqrt(variance / count);
}
