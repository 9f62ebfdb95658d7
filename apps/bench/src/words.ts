// Numbers as people read them, each with its interval.

import { type Estimate, isSure } from "./statistics.ts";

/** What stands where nothing was measured. */
export const none = "–";

/** Three significant digits: `0.123`, `1.23`, `12.3`, `123`. */
export function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

export const milliseconds = (estimate: Estimate | undefined): string =>
  estimate === undefined ? none : `${short(estimate.median)} ms`;

/** `0.62 [0.60, 0.65]`. */
export const ratio = (estimate: Estimate | undefined): string =>
  withInterval(estimate, (x) => x.toFixed(x < 10 ? 3 : 1));

/** A share as percentage with a sign and its interval: `+3.1% [+2.0, +4.2]`. */
export const percent = (estimate: Estimate | undefined): string =>
  withInterval(
    estimate,
    (x) => {
      const text = (100 * x).toFixed(1).replace(/^-(0\.0)$/, "$1");
      return text.startsWith("-") ? text.replace("-", "−") : `+${text}`;
    },
    "%",
  );

/** The median with its interval, or with the number of samples where these are too few for one. */
function withInterval(
  estimate: Estimate | undefined,
  show: (value: number) => string,
  unit = "",
): string {
  if (estimate === undefined) return none;
  const { median, low, high, count } = estimate;
  const interval = isSure(estimate) ? `[${show(low)}, ${show(high)}]` : `(of ${count})`;
  return `${show(median)}${unit} ${interval}`;
}

/** `f` of an estimate, for a monotonic `f`. */
export function mapEstimate(
  estimate: Estimate | undefined,
  f: (value: number) => number,
): Estimate | undefined {
  if (estimate === undefined) return undefined;
  const [a, b] = [f(estimate.low), f(estimate.high)];
  return {
    median: f(estimate.median),
    low: Math.min(a, b),
    high: Math.max(a, b),
    count: estimate.count,
  };
}

/** 2,000. */
export const grouped = (count: number): string => count.toLocaleString("en-US");

export const mebibytes = (bytes: number): string => `${short(bytes / 2 ** 20)} MiB`;
