// What the settings of most strategies have in common: counts, ratios, and how they are written.

const defaultMinValues = 32;

/** The size of a sample as a share of the map. */
export interface RatioOptions {
  /** In (0, 1], as in 1/32. */
  readonly ratio: number;
  /**
   * Where a map is too small for the ratio, the sample is enlarged to at least this many values a
   * channel, though never beyond the map. A whole number from 2; default 32.
   */
  readonly minValues?: number;
}

/**
 * A ratio's options with the defaults filled in.
 * @param where What an error's message begins with, as in "batchSampling".
 * @throws RangeError for a ratio outside (0, 1], or a `minValues` that is not a whole number from 2.
 */
export function checkRatio(
  where: string,
  { ratio, minValues = defaultMinValues }: RatioOptions,
): Required<RatioOptions> {
  if (!(ratio > 0 && ratio <= 1)) {
    throw new RangeError(
      `${where}: ratio is ${ratio}; give a number above 0, and 1 at most, for example 1/32`,
    );
  }
  if (!Number.isSafeInteger(minValues) || minValues < 2) {
    throw new RangeError(`${where}: minValues is ${minValues}; give a whole number from 2`);
  }
  return { ratio, minValues };
}

/** "4" as a number; undefined for 0 and for anything but digits. */
export function parseCount(text: string): number | undefined {
  return /^0*[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

/** "1/32", "0.25" or "1e-7" as a number, in range or not; undefined for other spellings. */
export function parseRatio(text: string): number | undefined {
  const fraction = /^(\d+)\/(\d+)$/.exec(text);
  if (fraction) return Number(fraction[1]) / Number(fraction[2]);
  return /^\d+(\.\d+|(\.\d+)?e-\d+)$/.test(text) ? Number(text) : undefined;
}

/** A ratio as users write it: the shortest fraction that equals it ("1/32"), else a decimal number. */
export function formatRatio(ratio: number): string {
  for (let denominator = 1; denominator <= 4096; denominator++) {
    const numerator = Math.round(ratio * denominator);
    if (numerator > 0 && numerator / denominator === ratio) return `${numerator}/${denominator}`;
  }
  return String(ratio);
}

/** A ratio's options from what follows the kind in a name: "1/32", or "1/32:min10"; undefined for other spellings. */
export function parseRatioOptions(text: string): RatioOptions | undefined {
  const [, share = "", least] = /^(.*?)(?::min(\d+))?$/.exec(text) ?? [];
  const ratio = parseRatio(share);
  if (ratio === undefined) return undefined;
  return least === undefined ? { ratio } : { ratio, minValues: Number(least) };
}

/** What `parseRatioOptions` reads: the ratio, and `minValues` where it is not the default. */
export function formatRatioOptions({ ratio, minValues }: Required<RatioOptions>): string {
  const least = minValues === defaultMinValues ? "" : `:min${minValues}`;
  return `${formatRatio(ratio)}${least}`;
}
