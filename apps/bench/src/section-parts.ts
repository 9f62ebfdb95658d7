// What the suites make of samples for their sections.

import type { Series } from "./interleave.ts";
import { type Estimate, isSure } from "./statistics.ts";
import type { Result, SectionSeries } from "./suite.ts";

/** An estimate as the table's number, in a list; none where nothing was measured. */
export const resultsOf = (
  name: string,
  quantity: string,
  estimate: Estimate | undefined,
): Result[] => {
  if (estimate === undefined) return [];
  const { median, low, high } = estimate;
  const interval = isSure(estimate) ? { low, high } : {};
  return [{ case: name, quantity, value: median, ...interval }];
};

/** Every sample, in milliseconds, of what `measure` names. */
export const seriesOf = (measure: string, series: readonly Series[]): SectionSeries[] =>
  series.map(({ name, milliseconds }) => ({
    case: name,
    measure,
    unit: "ms",
    samples: milliseconds,
  }));
