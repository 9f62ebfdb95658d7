// The curves of a comparison: each method's training loss and test accuracy.

import type { ComparisonEvent } from "./comparison.ts";
import { createSeries, createSmoother, type Series } from "./series.ts";

export interface Curves {
  /** Training loss of the steps, smoothed. */
  readonly loss: Series;
  /** Of the tests, 0 … 1. */
  readonly accuracy: Series;
  /** Adds what an event of this method tells. */
  see(event: ComparisonEvent): void;
}

/** One method's curves, without a point. */
export function createCurves(): Curves {
  const [loss, accuracy, smooth] = [createSeries(), createSeries(), createSmoother()];
  return {
    loss,
    accuracy,
    see(event) {
      if (event.type === "step") loss.add(pointOf(event, smooth(event.loss)));
      if (event.type === "test") accuracy.add(pointOf(event, event.accuracy));
    },
  };
}

const pointOf = (
  { images, seconds }: { readonly images: number; readonly seconds: number },
  value: number,
) => ({ images, seconds, value });
