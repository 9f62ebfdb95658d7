import { foldIn, key, normal } from "@fewnorm/tensor";
import test from "tape";
import {
  type Estimate,
  estimateExcess,
  estimateMedian,
  estimateRatio,
  median,
  pairedRatios,
  sortedQuantile,
  wilsonInterval,
} from "../src/statistics.ts";

/** Of samples that there are. */
const estimated = (...given: Parameters<typeof estimateMedian>) =>
  estimateMedian(...given) as Estimate;

test("median: known answers", (t) => {
  t.equal(median([7]), 7);
  t.equal(median([9, 1, 5]), 5, "does not need an order");
  t.equal(median([4, 1, 3, 2]), 2.5, "the mean of the two in the middle");
  t.equal(median(new Float32Array([10, 2, 33])), 10, "sorts by value and not by spelling");
  t.throws(() => median([]), /RangeError: .*no values/);
  const values = [3, 1, 2];
  median(values);
  t.deepEqual(values, [3, 1, 2], "leaves its argument as it is");
  t.end();
});

test("sortedQuantile: as NumPy's default", (t) => {
  // numpy.quantile([1, 2, 4, 8], [0, 0.25, 0.4, 1])
  t.equal(sortedQuantile([1, 2, 4, 8], 0), 1);
  t.equal(sortedQuantile([1, 2, 4, 8], 0.25), 1.75);
  t.ok(Math.abs(sortedQuantile([1, 2, 4, 8], 0.4) - 2.4) < 1e-12);
  t.equal(sortedQuantile([1, 2, 4, 8], 1), 8);
  t.end();
});

test("estimateMedian: what follows from the samples alone", (t) => {
  const constant = estimateMedian([5, 5, 5, 5], { key: key(1) });
  t.deepEqual(constant, { median: 5, low: 5, high: 5, count: 4 }, "no spread, no doubt");
  t.equal(estimateMedian([], { key: key(1) }), undefined, "nothing measured, no number");
  t.deepEqual(estimateMedian([3], { key: key(1) }), { median: 3, low: 3, high: 3, count: 1 });

  const values = Array.from(normal(key(2), 41));
  const one = estimated(values, { key: key(3) });
  t.deepEqual(estimateMedian(values, { key: key(3) }), one, "the same key, the same interval");
  t.ok(one.low <= one.median && one.median <= one.high, "the interval is around the median");
  const wider = estimated(values, { key: key(3), level: 0.999 });
  t.ok(wider.low <= one.low && wider.high >= one.high, "more confidence, a wider interval");
  const scaled = estimated(
    values.map((value) => 8 * value),
    { key: key(3) },
  );
  t.deepEqual([scaled.low, scaled.high], [8 * one.low, 8 * one.high], "it scales with the samples");
  t.end();
});

test("estimateMedian: the interval holds the true median as often as it says", (t) => {
  // 500 sets of 25 samples each of e^z, whose true median is 1. For samples of this size the percentile
  // bootstrap of the median covers about 95%; over 500 sets its share has a deviation of 1.0%, so that the
  // bounds, 3.5 deviations away, would fail a correct implementation at another key with probability 5e-4.
  const sets = 500;
  let held = 0;
  let width = 0;
  for (let i = 0; i < sets; i++) {
    const own = foldIn(key(4), i);
    const values = normal(foldIn(own, 0), 25).map(Math.exp);
    const { low, high } = estimated(values, { key: foldIn(own, 1), resamples: 400 });
    if (low <= 1 && 1 <= high) held++;
    width += (high - low) / sets;
  }
  t.ok(Math.abs(held / sets - 0.95) < 0.035, `${held} of ${sets} intervals hold the true median`);
  // Asymptotically 2·1.96·√(π/2)/√25 = 0.98 on the logarithm's scale: not wide for want of courage.
  t.ok(width > 0.7 && width < 1.4, `mean width ${width.toFixed(2)}`);
  t.end();
});

test("estimateRatio: pairs by round", (t) => {
  t.deepEqual(pairedRatios([2, 9, 8], [1, 3]), [2, 3], "what has no partner is left out");
  // Rounds differ a hundredfold, a is always twice b: paired, there is no doubt.
  const b = [1, 10, 100, 3, 30, 0.5];
  const a = b.map((value) => 2 * value);
  t.deepEqual(estimateRatio(a, b, { key: key(5) }), { median: 2, low: 2, high: 2, count: 6 });
  t.equal(estimateRatio([], [1, 2], { key: key(5) }), undefined, "nothing measured, no number");
  t.end();
});

test("estimateExcess: what one takes more as a part of what another takes more", (t) => {
  // Rounds differ tenfold; a takes 2%, b 10% more than the base in each.
  const base = [1, 10, 3, 7, 2, 5, 4];
  const more = (share: number) => base.map((value) => (1 + share) * value);
  const part = estimateExcess(more(0.02), more(0.1), base, { key: key(6) });
  for (const value of [part?.median, part?.low, part?.high]) {
    t.ok(Math.abs((value ?? 0) - 0.2) < 1e-12, `${value} is a fifth`);
  }
  // Of the median ratios, not the median of each round's: (1.02 − 1) / (1.1 − 1), where rounds say 0.1, 0.2 and 1.
  const uneven = estimateExcess([1.01, 1.02, 1.05], [1.1, 1.1, 1.05], [1, 1, 1], { key: key(7) });
  t.ok(Math.abs((uneven?.median ?? 0) - 0.2) < 1e-12, `${uneven?.median}`);
  t.ok((uneven?.low ?? 1) < 0.2 && (uneven?.high ?? 0) > 0.2, "an interval around it");
  t.equal(estimateExcess([], [1], [1], { key: key(6) }), undefined, "nothing measured, no number");
  t.end();
});

test("wilsonInterval: known answers", (t) => {
  // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
  for (const [successes, count, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    const interval = wilsonInterval(successes, count);
    const shown = [interval.low.toFixed(4), interval.high.toFixed(4)];
    t.deepEqual(shown, [low.toFixed(4), high.toFixed(4)], `${successes} of ${count}`);
  }
  t.throws(() => wilsonInterval(3, 2), /RangeError: wilsonInterval: 3 of 2/);
  t.end();
});
