// How fast the training is, and how long it will still take.

import type { TrainEvent } from "@fewnorm/train";

/** Measures throughput from the events that it is shown. */
export interface Meter {
  see(event: TrainEvent): void;
  /** Images a second over the last steps, for display. */
  recent(): number | undefined;
  /** Images a second over all steps; tests and checkpoints are not counted. */
  overall(): number | undefined;
  /** For the steps that remain, at the pace of the last ones. */
  secondsLeft(): number | undefined;
}

/** How many of the last steps count as recent. */
const window = 20;

export function createMeter(batch: number): Meter {
  const last: number[] = [];
  let [seconds, counted, step, steps] = [0, 0, 0, 0];
  let first = true;

  function recent(): number | undefined {
    const sum = last.reduce((a, b) => a + b, 0);
    return sum > 0 ? (batch * last.length) / sum : undefined;
  }

  return {
    see(event) {
      ({ step } = event);
      if (event.type === "start") ({ steps } = event);
      if (event.type !== "step") return;
      // A run's first step also warms up the engine; it counts only where there is no other.
      if (!first || step === steps) {
        const took = batch / event.imagesPerSecond;
        last.push(took);
        if (last.length > window) last.shift();
        seconds += took;
        counted++;
      }
      first = false;
    },
    recent,
    overall: () => (seconds > 0 ? (batch * counted) / seconds : undefined),
    secondsLeft() {
      const rate = recent();
      return rate === undefined ? undefined : ((steps - step) * batch) / rate;
    },
  };
}
