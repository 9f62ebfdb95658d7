// The norms that a suite measures: its own or those of --norms, and those of --strategy.

import { batchNorm, type Norm } from "@fewnorm/norm";
import { parseNorm } from "@fewnorm/presets";
import type { Sampling } from "@fewnorm/sampling";
import type { NamedNorm } from "./suite.ts";

/** Which norms there are to be, by name. */
export interface NormNames {
  /** First, in their order. */
  readonly always: readonly string[];
  /** Those of `--norms`. */
  readonly asked: readonly string[] | undefined;
  /** Instead of `asked` where there is none. */
  readonly byDefault: readonly string[];
}

/** Norms by name, each once, then one of batch normalization for every sampling. */
export function nameNorms(
  { always, asked, byDefault }: NormNames,
  samplings: readonly Sampling[],
): NamedNorm[] {
  const named = [...new Set([...always, ...(asked ?? byDefault)])].map(
    (name): NamedNorm => ({
      name,
      norm: parseNorm(name),
      dispensable: asked === undefined && !always.includes(name),
    }),
  );
  for (const sampling of samplings) {
    let { name } = sampling;
    for (let copy = 2; named.some((other) => other.name === name); copy++) {
      name = `${sampling.name} (${copy})`;
    }
    named.push({ name, norm: batchNorm({ sampling }), dispensable: false });
  }
  return named;
}

/**
 * The norms without those dispensable ones that cannot be had, such as more images than the batch has; and a line
 * for each of these, with the reason.
 * @param build Builds what is to be measured, with a RangeError where that cannot be.
 * @throws RangeError where none is left.
 */
export function possibleNorms(
  norms: readonly NamedNorm[],
  build: (norm: Norm) => unknown,
): { readonly norms: readonly NamedNorm[]; readonly leftOut: readonly string[] } {
  const leftOut: string[] = [];
  const possible = norms.filter(({ name, norm, dispensable }) => {
    if (!dispensable) return true;
    try {
      build(norm);
      return true;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      leftOut.push(`${name} is left out: ${error.message.replace(/^norm: /, "")}`);
      return false;
    }
  });
  if (possible.length === 0) throw new RangeError(leftOut[0]);
  return { norms: possible, leftOut };
}
