// The contract of a sampling strategy: data in, data out. It never sees channels' values, layouts
// or a backend.
import type { Key } from "@fewnorm/tensor";

/** The size of the maps a layer normalizes, without channels. Dense layers have maps of 1×1. */
export interface MapShape {
  /** Images (rows of the batch). */
  readonly rows: number;
  readonly height: number;
  readonly width: number;
}

/** The static size of the sampled block: `rows` consecutive images (cyclically), and a `height`×`width` patch of each map. */
export interface Extent {
  readonly rows: number;
  readonly height: number;
  readonly width: number;
}

/** Where the block begins: drawn anew for every layer and step. */
export interface Origin {
  /** First image, 0 … shape.rows − 1; the block goes on cyclically. */
  readonly row: number;
  /** 0 … shape.height − extent.height. */
  readonly top: number;
  /** 0 … shape.width − extent.width. */
  readonly left: number;
}

/** The size of a strategy's own images at the network's input. */
export interface VirtualShape {
  /** The strategy's `virtualRows`. */
  readonly rows: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Which part of a layer's values its statistics come from. All channels share one block; its size
 * is fixed when the model is built, its origin is drawn for every layer and step. What is no block, such as every
 * other image or pixel, cannot be said; a `mixture` joins several blocks.
 */
export interface Strategy {
  /** As users write it: "bs:4". */
  readonly name: string;
  /**
   * Images of the strategy's own that ride along with the batch, out of the loss; 0 for most.
   * With more than 0, the maps it samples are those of its virtual rows (`shape.rows` is
   * `virtualRows`); with 0, those of the real batch.
   */
  readonly virtualRows: number;
  /**
   * The size of the block, fixed when the model is built: a function of the shape alone.
   * @throws RangeError for sizes that cannot work, with the sizes in the message. See `planExtent`.
   */
  extent(shape: MapShape): Extent;
  /**
   * The origin of one layer at one step. The same key gives the same origin; over the keys all origins are equally
   * likely, unless it is always the same one.
   */
  origin(extent: Extent, shape: MapShape, key: Key): Origin;
  /**
   * The virtual images of one step, NCHW, in standardized units: mean 0 and deviation 1 in every
   * channel, like the data after normalization. Needed exactly where `virtualRows` is not 0.
   */
  virtualInput?(shape: VirtualShape, key: Key): Float32Array;
}
