// A layer's sampling: one strategy, or several whose blocks are joined with weights.
import { checkKind, checkOptions, showValue } from "@fewnorm/tensor";
import { checkStrategy } from "./check-strategy.ts";
import type { Strategy } from "./strategy.ts";

/** One block of a mixture. */
export interface Part {
  readonly strategy: Strategy;
  /** Relative to the other parts' weights. Omitted for all parts: proportional to the number of values. */
  readonly weight?: number;
}

/** The union of several strategies' blocks. */
export interface Mixture {
  /** As users write it: "vdn:2+bs:2". */
  readonly name: string;
  readonly parts: readonly Part[];
}

/** What a norm takes: a strategy or a mixture. */
export type Sampling = Strategy | Mixture;

/**
 * Joins the blocks of several strategies: μ = Σ wᵢμᵢ, σ² = Σ wᵢ(σᵢ² + (μᵢ − μ)²), with weights that
 * are scaled to Σ wᵢ = 1. Without any weight they are proportional to the number of values, which
 * is the plain union.
 * @param name Default: the parts' names with "+" between, and a weight as in "3*vdn:2+1*bs:2".
 * @throws TypeError for a part that is none; RangeError if there is no part, only some have a weight, or one is not a
 *   positive number.
 */
export function mixture(parts: readonly Part[], name?: string): Mixture {
  checkKind("mixture", "parts", parts, "array");
  if (parts.length === 0) throw new RangeError("mixture: no parts; give at least one strategy");
  for (const [i, part] of parts.entries()) {
    checkOptions(`mixture: part ${i + 1}`, part, { strategy: "any", weight: "number" });
    checkStrategy(`mixture: part ${i + 1}`, part.strategy);
  }
  const weighted = parts.filter((part) => part.weight !== undefined);
  if (weighted.length !== 0 && weighted.length !== parts.length) {
    throw new RangeError(
      `mixture: ${weighted.length} of ${parts.length} parts have a weight; give one to all or to none`,
    );
  }
  for (const { strategy, weight } of weighted) {
    if (!(Number.isFinite(weight) && (weight as number) > 0)) {
      throw new RangeError(
        `mixture: the weight of ${strategy.name} is ${weight}; give a positive number`,
      );
    }
  }
  const written = parts.map(({ strategy, weight }) =>
    weight === undefined ? strategy.name : `${weight}*${strategy.name}`,
  );
  return { name: name ?? written.join("+"), parts: [...parts] };
}

/** The parts of a mixture; of a strategy, itself. */
export function partsOf(sampling: Sampling): readonly Part[] {
  return "parts" in sampling ? sampling.parts : [{ strategy: sampling }];
}

/**
 * Checks a strategy, or every part of a mixture, as far as it can be without asking it.
 * @param where what a message begins with, such as the function's name
 * @throws TypeError for what is none, or has no name, `extent` or `origin`; RangeError for `virtualRows` that is no whole
 *   number, and where only one of `virtualRows` and `virtualInput` is given.
 */
export function checkSampling(where: string, sampling: Sampling): void {
  if (typeof sampling !== "object" || sampling === null) {
    throw new TypeError(
      `${where}: sampling is ${showValue(sampling)}; give a strategy, such as batchSampling({ images: 4 }), or what parseSampling makes of a name`,
    );
  }
  for (const { strategy } of partsOf(sampling)) checkStrategy(where, strategy);
}
