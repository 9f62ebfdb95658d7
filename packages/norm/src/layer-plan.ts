// Where a layer's statistics come from: the sampling's blocks, placed in the rows of this layer's batch.

import type { Scope } from "@fewnorm/nn";
import {
  type Extent,
  type MapShape,
  partsOf,
  planExtent,
  type Sampling,
  type Strategy,
} from "@fewnorm/sampling";
import { crop, foldIn, type RowRange, rows, type Tensor } from "@fewnorm/tensor";

/** One block of sampled values: some rows, and of those a window or the whole maps. */
export interface Block {
  /** The sampled rows; their start is read from `origins` at `startIndex`. */
  readonly range: RowRange;
  /** The layer's drawn origins, or a constant zero for blocks that hold all rows there are. */
  readonly origins: Tensor;
  readonly startIndex: number;
  /** Height, width, and where top and left are read; undefined for whole maps. */
  readonly window: { height: number; width: number; index: number } | undefined;
  /** Whether the rows are of the real batch (and not virtual). */
  readonly real: boolean;
  /** Sampled values of a channel. */
  readonly values: number;
  /** The block's share of the statistics; all blocks' shares sum to 1. */
  readonly weight: number;
}

/** The blocks of one layer, and the rows they are taken from. */
export interface LayerPlan {
  readonly blocks: readonly Block[];
  /** First real row, and the number of real rows. */
  readonly virtual: number;
  readonly real: number;
  /** m_s: sampled values of a channel, over all blocks. */
  readonly values: number;
  /** Whether the blocks are the whole batch: ordinary batch normalization. */
  readonly full: boolean;
}

interface PlannedPart {
  readonly strategy: Strategy;
  readonly shape: MapShape;
  readonly extent: Extent;
}

/**
 * Plans the layer `name` in `scope` over maps of [rows, C, height, width] or [rows, C].
 * @throws RangeError, naming the layer, for sizes that cannot work.
 */
export function planLayer(
  scope: Scope,
  name: string,
  sampling: Sampling,
  shape: readonly number[],
): LayerPlan {
  const [total = 1, , height = 1, width = 1] = shape;
  const virtual = scope.virtualRows;
  const real = total - virtual;
  const path = scope.at(name).path;
  const parts = partsOf(sampling);
  checkVirtualRows(path, sampling, virtual);

  const planned = parts.map(({ strategy }): PlannedPart => {
    const map: MapShape = { rows: strategy.virtualRows || real, height, width };
    return { strategy, shape: map, extent: planExtent(`norm: layer "${path}"`, strategy, map) };
  });
  const values = planned.map(({ extent }) => extent.rows * extent.height * extent.width);
  const shares = parts.map((part, i) => part.weight ?? (values[i] as number));
  const whole = shares.reduce((sum, share) => sum + share, 0);

  const moving = planned.some(
    ({ extent, shape: map }) => !coversRows(extent, map) || isWindow(extent, map),
  );
  const fixed = scope.builder.constant(0, [1], "int32");
  const drawn = moving
    ? scope.drawn(`${name}.origin`, [3 * parts.length], "int32", (key) =>
        planned.flatMap(({ strategy, extent, shape: map }, i) => {
          const { row, top, left } = strategy.origin(extent, map, foldIn(key, i));
          return [row, top, left];
        }),
      )
    : fixed;

  let nextVirtual = 0;
  const blocks = planned.map(({ strategy, extent, shape: map }, i): Block => {
    const base = strategy.virtualRows > 0 ? nextVirtual : virtual;
    nextVirtual += strategy.virtualRows;
    const still = coversRows(extent, map);
    return {
      range: { base, modulo: map.rows, offset: 0, count: extent.rows },
      origins: still ? fixed : drawn,
      startIndex: still ? 0 : 3 * i,
      window: isWindow(extent, map)
        ? { height: extent.height, width: extent.width, index: 3 * i + 1 }
        : undefined,
      real: strategy.virtualRows === 0,
      values: values[i] as number,
      weight: (shares[i] as number) / whole,
    };
  });
  const [only] = planned;
  return {
    blocks,
    virtual,
    real,
    values: values.reduce((sum, count) => sum + count, 0),
    full:
      planned.length === 1 &&
      virtual === 0 &&
      only !== undefined &&
      coversRows(only.extent, only.shape) &&
      !isWindow(only.extent, only.shape),
  };
}

const coversRows = (extent: Extent, map: MapShape): boolean => extent.rows === map.rows;

const isWindow = (extent: Extent, map: MapShape): boolean =>
  extent.height < map.height || extent.width < map.width;

function checkVirtualRows(path: string, sampling: Sampling, present: number): void {
  const needed = partsOf(sampling).reduce((sum, { strategy }) => sum + strategy.virtualRows, 0);
  if (needed !== present) {
    throw new RangeError(
      `norm: layer "${path}": ${sampling.name} needs ${needed} virtual rows in the batch, which has ${present}; make the scope with virtualRowsOf(model, mode), and let the model pass on norm.virtualImages`,
    );
  }
}

/** The block's values in x, whose rows are the whole batch's. */
export function blockOf(x: Tensor, block: Block): Tensor {
  const { window, range, origins, startIndex } = block;
  const sampled = rows(x, origins, { range, index: startIndex });
  if (window === undefined) return sampled;
  return crop(sampled, origins, { ...window, stride: [1, 1], offset: [0, 0] });
}
