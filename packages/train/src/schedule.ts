// Learning rates as plain functions of the step.

import { checkCount, checkKind, checkOptions } from "@fewnorm/tensor";

/** The learning rate of step 0, 1, 2, …. */
export type Schedule = (step: number) => number;

/** The same learning rate at every step. */
export function constant(rate: number): Schedule {
  checkRate("constant", "rate", rate);
  return () => rate;
}

/** Options of {@link stepDecay}. */
export interface StepDecayOptions {
  /** Learning rate at first. */
  readonly base: number;
  /** Steps at which the rate is multiplied by `factor`. */
  readonly milestones: readonly number[];
  /** Default 0.1. */
  readonly factor?: number;
}

/** base·factorᵏ, k being the number of milestones that are not after the step. */
export function stepDecay(options: StepDecayOptions): Schedule {
  checkOptions("stepDecay", options, { base: "number", milestones: "array", factor: "number" });
  const { base, milestones, factor = 0.1 } = options;
  checkRate("stepDecay", "base", base);
  if (!(factor > 0 && factor < Infinity)) {
    throw new RangeError(`stepDecay: factor is ${factor}; give a number > 0, e.g. 0.1`);
  }
  if (!milestones.every((milestone) => milestone >= 0)) {
    throw new RangeError(`stepDecay: milestones are ${milestones.join(", ")}; give steps >= 0`);
  }
  return (step) => base * factor ** milestones.filter((milestone) => milestone <= step).length;
}

/** Options of {@link cosine}. */
export interface CosineOptions {
  /** The largest learning rate, reached at the end of the warm-up. */
  readonly base: number;
  /** Steps of the whole training, T, warm-up included. */
  readonly steps: number;
  /** Steps of the warm-up, w; default 0. */
  readonly warmUp?: number;
  /** Learning rate that step T would have, default 0. */
  readonly final?: number;
}

/**
 * final + (base − final)·(1 + cos(π·(step − w)/(T − w)))/2, after the first w steps (see
 * {@link warmUp}). Source: Loshchilov and Hutter, "SGDR", ICLR 2017.
 * @throws RangeError unless steps is a whole number ≥ 1 and 0 ≤ warmUp < steps.
 */
export function cosine(options: CosineOptions): Schedule {
  checkOptions("cosine", options, {
    base: "number",
    steps: "number",
    warmUp: "number",
    final: "number",
  });
  const { base, steps, warmUp: warm = 0, final = 0 } = options;
  checkRate("cosine", "base", base);
  checkRate("cosine", "final", final);
  checkCount("cosine", "steps", steps);
  if (!(warm >= 0 && warm < steps)) {
    throw new RangeError(
      `cosine: ${warm} of ${steps} steps are warm-up; the warm-up must be shorter than the training`,
    );
  }
  const falling: Schedule = (step) => {
    const done = Math.min(1, (step - warm) / (steps - warm));
    return final + ((base - final) * (1 + Math.cos(Math.PI * done))) / 2;
  };
  return warmUp(falling, warm, base);
}

/**
 * base·(step + 1)/steps in the first `steps` steps, `schedule` afterwards.
 * @param steps w ≥ 0, a whole number
 * @param base what the warm-up rises to; by default the schedule's rate at step w
 */
export function warmUp(schedule: Schedule, steps: number, base = schedule(steps)): Schedule {
  if (!(Number.isInteger(steps) && steps >= 0)) {
    throw new RangeError(`warmUp: steps is ${steps}; give a whole number >= 0`);
  }
  return (step) => (step < steps ? (base * (step + 1)) / steps : schedule(step));
}

function checkRate(where: string, name: string, rate: number): void {
  checkKind(where, name, rate, "number");
  if (!(rate >= 0 && rate < Infinity)) {
    throw new RangeError(`${where}: ${name} is ${rate}; give a learning rate >= 0, e.g. 0.1`);
  }
}
