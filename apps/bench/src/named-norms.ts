// The norms that a suite measures: its own or those of --norms, and those of --strategy.

import { batchNorm, type Norm } from "@fewnorm/norm";
import { parseNorm } from "@fewnorm/presets";
import type { Sampling } from "@fewnorm/sampling";
import type { NamedNorm } from "./suite.ts";

/** Norms by name in this order, each once, then one of batch normalization for every sampling. */
export function nameNorms(names: readonly string[], samplings: readonly Sampling[]): NamedNorm[] {
  const named: { name: string; norm: Norm }[] = [...new Set(names)].map((name) => ({
    name,
    norm: parseNorm(name),
  }));
  for (const sampling of samplings) {
    let { name } = sampling;
    for (let copy = 2; named.some((other) => other.name === name); copy++) {
      name = `${sampling.name} (${copy})`;
    }
    named.push({ name, norm: batchNorm({ sampling }) });
  }
  return named;
}
