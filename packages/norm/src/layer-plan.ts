// Where a layer's statistics come from: the sampling's blocks, placed in the rows of this layer's batch.

import type { Scope } from "@fewnorm/nn";
import {
  drawOrigins,
  type MapShape,
  type PlannedPart,
  partsOf,
  planParts,
  type Sampling,
  valueCount,
} from "@fewnorm/sampling";
import { crop, type RowRange, rows, type Tensor } from "@fewnorm/tensor";
import { askForImages, sharingOf } from "./shared-statistics.ts";

/** One block of sampled values: some rows, and of those a window or the whole maps. */
export interface Block {
  /** The sampled rows; their start is read from `origins` at `startIndex`. */
  readonly range: RowRange;
  /** The layer's drawn origins, or a constant zero for blocks that hold all rows there are. */
  readonly origins: Tensor;
  readonly startIndex: number;
  /** Height, width, and where top and left are read; undefined for whole maps. */
  readonly window: { height: number; width: number; index: number; origins: Tensor } | undefined;
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
  /** First real row, and the number of real rows at hand. */
  readonly virtual: number;
  readonly real: number;
  /** m_s: sampled values of a channel, over all blocks. */
  readonly values: number;
  /** Whether sampled rows are all that there are: nothing is left to fold the normalization into. */
  readonly full: boolean;
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
  checkVirtualRows(path, sampling, virtual);
  const shared = sharingOf(scope, name, sampling, shape);
  const rowsPlanned = shared?.role === "give" ? shared.batch : real;
  const map: MapShape = { rows: rowsPlanned, height, width };
  const rowsAre = scope.shared?.role === "take" ? ", of a micro-batch" : "";
  const parts = planParts(`norm: layer "${path}"${rowsAre}`, sampling, map);
  if (shared?.role === "give") askForImages(shared, path, parts);

  // Images that are shared have been drawn before they come here.
  const still = (part: PlannedPart) => shared !== undefined || coversRows(part);
  const fixed = scope.builder.constant(0, [1], "int32");
  const drawn = parts.every((part) => still(part) && !isWindow(part))
    ? fixed
    : scope.drawn(`${name}.origin`, [3 * parts.length], "int32", (key) =>
        drawOrigins([{ parts }], key),
      );

  let nextVirtual = 0;
  const blocks = parts.map((part, i): Block => {
    const { strategy, extent, shape: own, weight } = part;
    const isReal = strategy.virtualRows === 0;
    const base = isReal ? virtual : nextVirtual;
    nextVirtual += strategy.virtualRows;
    const modulo = isReal ? real : own.rows;
    return {
      range: { base, modulo, offset: 0, count: extent.rows },
      origins: still(part) ? fixed : drawn,
      startIndex: still(part) ? 0 : 3 * i,
      window: isWindow(part)
        ? { height: extent.height, width: extent.width, index: 3 * i + 1, origins: drawn }
        : undefined,
      real: isReal,
      values: valueCount(extent),
      weight,
    };
  });
  const [only] = parts;
  return {
    blocks,
    virtual,
    real,
    values: blocks.reduce((sum, block) => sum + block.values, 0),
    full:
      shared !== undefined ||
      (parts.length === 1 && virtual === 0 && only !== undefined && isWhole(only)),
  };
}

const coversRows = ({ extent, shape }: PlannedPart): boolean => extent.rows === shape.rows;

const isWindow = ({ extent, shape }: PlannedPart): boolean =>
  extent.height < shape.height || extent.width < shape.width;

const isWhole = (part: PlannedPart): boolean => coversRows(part) && !isWindow(part);

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
  const { height, width, index } = window;
  return crop(sampled, window.origins, { height, width, index, stride: [1, 1], offset: [0, 0] });
}
