import type { Fetches } from "@fewnorm/backend";

/** What differs from the expected results by more than `tolerance` times their largest, in words. */
export function differences(expected: Fetches, actual: Fetches, tolerance: number): string[] {
  return Object.entries(expected).flatMap(([name, { data }]) => {
    const found = actual[name]?.data ?? [];
    let largest = 0;
    let worst = 0;
    for (let i = 0; i < data.length; i++) {
      const value = data[i] as number;
      largest = Math.max(largest, Math.abs(value));
      const off = Math.abs(value - (found[i] ?? Number.NaN));
      if (!(off <= worst)) worst = off;
    }
    return worst <= tolerance * largest ? [] : [`${name} is off by ${worst} of ${largest}`];
  });
}
