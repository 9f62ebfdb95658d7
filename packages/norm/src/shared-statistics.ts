// Statistics that the micro-batches of a gradient batch have in common (method: "Micro-batches").

import type { Scope, SharedStatistics } from "@fewnorm/nn";
import {
  drawOrigin,
  type MapShape,
  type PlannedPart,
  partsOf,
  planExtent,
  type Sampling,
} from "@fewnorm/sampling";
import type { Shape } from "@fewnorm/tensor";
import type { Statistics } from "./statistics.ts";

type Give = SharedStatistics & { readonly role: "give" };

/**
 * What the scope shares, as far as this sampling takes part in it: samples of some images, and virtual ones.
 * Those that take something of every image, as the whole batch and patches do, belong to one micro-batch.
 * @throws RangeError for a mixture of both.
 */
export function sharingOf(
  scope: Scope,
  layer: string,
  sampling: Sampling,
  [, , height = 1, width = 1]: Shape,
): SharedStatistics | undefined {
  const { shared } = scope;
  if (shared === undefined) return undefined;
  const parts = partsOf(sampling);
  const own = parts.filter((part) => takesEveryImage(part, { height, width })).length;
  if (own === parts.length) return undefined;
  if (own === 0) return shared;
  throw new RangeError(
    `norm: layer "${scope.at(layer).path}": ${sampling.name} samples every image as well as some; micro-batches can share some images or virtual ones only, as in bs:16 or vdn:4`,
  );
}

/** More images than a batch has. */
const many = 2 ** 20;

function takesEveryImage(
  { strategy }: { readonly strategy: PlannedPart["strategy"] },
  map: Omit<MapShape, "rows">,
): boolean {
  if (strategy.virtualRows > 0) return false;
  try {
    return planExtent("norm", strategy, { ...map, rows: many }).rows === many;
  } catch (error) {
    // A sample that is too small whatever the batch: it is reported, with its layer, where that is planned.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Asks for the images that the layer's statistics come from. @throws RangeError when that is impossible. */
export function askForImages(shared: Give, path: string, parts: readonly PlannedPart[]): void {
  const real = parts.filter(({ strategy }) => strategy.virtualRows === 0);
  const [part] = real;
  if (real.length > 1) {
    const names = real.map(({ strategy }) => strategy.name).join(" and ");
    throw new RangeError(
      `norm: layer "${path}" samples images twice, by ${names}; micro-batches share one such sample: leave one of them out`,
    );
  }
  if (part === undefined) return;
  const { strategy, extent, shape } = part;
  if (extent.rows >= shape.rows) {
    throw new RangeError(
      `norm: layer "${path}": ${strategy.name} samples all ${shape.rows} images of the gradient batch, so that no micro-batches are left; use a smaller sample, a larger batch, or bn`,
    );
  }
  shared.sample(extent.rows, (key) => drawOrigin(part, key).row);
}

/** Gives the statistics of the layer in `inner`, where others wait for them. */
export function giveStatistics(shared: Give, inner: Scope, { mean, variance }: Statistics): void {
  shared.give(`${inner.path}.mean`, mean);
  shared.give(`${inner.path}.variance`, variance);
}

/** The statistics of the layer in `inner`, of so many channels. */
export function takeStatistics(
  shared: SharedStatistics & { readonly role: "take" },
  inner: Scope,
  channels: number,
): Statistics {
  return {
    mean: shared.take(`${inner.path}.mean`, [channels]),
    variance: shared.take(`${inner.path}.variance`, [channels]),
  };
}
