// Running variances below 0: no training makes them, and normalizing with them gives NaN.

import type { HostTensor } from "./trainer.ts";

/** What is wrong with the first running variance or deviation below 0; undefined where there is none. */
export function negativeVariance(tensors: ReadonlyMap<string, HostTensor>): string | undefined {
  for (const [name, { values }] of tensors) {
    if (!/(^|\.)running_(var|std)$/.test(name)) continue;
    // Rounding leaves a little less than 0 of a channel that never changes, which ε makes up for.
    const channel = values.findIndex((value) => value < -1e-6);
    if (channel >= 0) return `has ${values[channel]} in channel ${channel} of "${name}"`;
  }
  return undefined;
}
