// How well a sample's statistics estimate the whole's: for those who choose a strategy or a size.
import {
  checkCount,
  checkOptions,
  elementsOf,
  foldIn,
  type HostValue,
  type Key,
} from "@fewnorm/tensor";
import { drawOrigin } from "./draw-origins.ts";
import { checkSampling, type Sampling } from "./mixture.ts";
import { planParts, valueCount } from "./plan.ts";
import type { Extent, MapShape, Origin } from "./strategy.ts";

/** A feature map's shape: images, channels, height, width. */
export type FeatureMapShape = readonly [number, number, number, number];

/** The distribution of one statistic's error over draws and channels. */
export interface ErrorDistribution {
  /** Draw by draw, and in each channel by channel. */
  readonly errors: Float64Array;
  /** Their mean. */
  readonly bias: number;
  /** The root of their mean square. */
  readonly rms: number;
}

/** How far the statistics of samples are from those of the whole map. */
export interface SamplingError {
  /** (μ_S − μ)/σ. */
  readonly mean: ErrorDistribution;
  /** σ_S²/σ² − 1. */
  readonly variance: ErrorDistribution;
}

/** Options of {@link samplingError}. */
export interface SamplingErrorOptions {
  /** How many samples are drawn. Default 256. */
  readonly draws?: number;
}

/**
 * The errors of sampled means and variances (biased, as in normalization) against those of the
 * whole map, over many draws. Channels that are constant are left out.
 * @param values NCHW, in row-major order, or an ndarray.
 * @throws RangeError if the sampling does not fit the map, draws origins outside of it or has virtual rows, which are not
 *   in the map, or if every channel is constant; TypeError for what is no sampling.
 */
export function samplingError(
  values: HostValue,
  shape: FeatureMapShape,
  sampling: Sampling,
  key: Key,
  options: SamplingErrorOptions = {},
): SamplingError {
  const where = "samplingError";
  checkOptions(where, options, { draws: "number" });
  checkSampling(where, sampling);
  const { draws = 256 } = options;
  checkCount(where, "draws", draws);
  const map = featureMap(where, values, shape);
  const parts = planParts(where, sampling, map.shape);
  const virtual = parts.find(({ strategy }) => strategy.virtualRows > 0);
  if (virtual) {
    throw new RangeError(
      `${where}: ${virtual.strategy.name} samples virtual images, which are not in the map; give a strategy without`,
    );
  }
  const full = Array.from({ length: map.channels }, (_, channel) => ({
    channel,
    ...blockMoments(map, channel, map.shape, start),
  })).filter(({ variance }) => variance !== 0);
  if (full.length === 0)
    throw new RangeError(`${where}: all ${map.channels} channels are constant`);

  const meanErrors = new Float64Array(draws * full.length);
  const varianceErrors = new Float64Array(draws * full.length);
  for (let draw = 0; draw < draws; draw++) {
    const drawKey = foldIn(key, draw);
    const blocks = parts.map((part, p) => ({
      ...part,
      origin: drawOrigin(part, foldIn(drawKey, p)),
    }));
    full.forEach(({ channel, mean, variance }, i) => {
      const moments = blocks.map(({ extent, origin, weight }) => ({
        weight,
        ...blockMoments(map, channel, extent, origin),
      }));
      const μ = sum(moments, (m) => m.weight * m.mean);
      const σ2 = sum(moments, (m) => m.weight * (m.variance + (m.mean - μ) ** 2));
      meanErrors[draw * full.length + i] = (μ - mean) / Math.sqrt(variance);
      varianceErrors[draw * full.length + i] = σ2 / variance - 1;
    });
  }
  return { mean: distributionOf(meanErrors), variance: distributionOf(varianceErrors) };
}

/**
 * How alike the pixels of one image are, for each channel: the intraclass correlation of a one-way
 * analysis of variance with images as groups, ρ = (MSB − MSW)/(MSB + (k − 1)·MSW), k = H·W. 0: no
 * more than those of different images; 1: all pixels of an image are equal. NaN for constant channels.
 *
 * Source: Shrout and Fleiss, "Intraclass Correlations", Psychological Bulletin 86 (1979), ICC(1, 1).
 * @param values NCHW, in row-major order, or an ndarray.
 * @throws RangeError for fewer than 2 images, or 2 pixels an image.
 */
export function intraImageCorrelation(values: HostValue, shape: FeatureMapShape): Float64Array {
  const map = featureMap("intraImageCorrelation", values, shape);
  const images = map.shape.rows;
  const k = map.shape.height * map.shape.width;
  if (images < 2 || k < 2) {
    throw new RangeError(
      `intraImageCorrelation: the map has ${images} images of ${k} pixels; give 2 of each or more`,
    );
  }
  return Float64Array.from({ length: map.channels }, (_, channel) => {
    const groups = Array.from({ length: images }, (_, row) =>
      blockMoments(map, channel, { ...map.shape, rows: 1 }, { ...start, row }),
    );
    const mean = sum(groups, (group) => group.mean) / images;
    const between = (k * sum(groups, (group) => (group.mean - mean) ** 2)) / (images - 1);
    const within = (k * sum(groups, (group) => group.variance)) / (images * (k - 1));
    return (between - within) / (between + (k - 1) * within);
  });
}

/**
 * How many independent values tell as much about the mean as a block does:
 * n/(1 + (k − 1)·ρ), of n values, k of them in each image.
 *
 * Source: Kish, "Survey Sampling" (1965), design effect of cluster samples.
 * @param correlation ρ, from `intraImageCorrelation`. For a patch, whose pixels are more alike than
 *   the whole image's, that of the map cut to the patch.
 */
export function effectiveSampleSize(extent: Extent, correlation: number): number {
  return valueCount(extent) / (1 + (extent.height * extent.width - 1) * correlation);
}

interface FeatureMap {
  readonly elements: ArrayLike<number>;
  readonly channels: number;
  readonly shape: MapShape;
}

const start: Origin = { row: 0, top: 0, left: 0 };

function featureMap(where: string, values: HostValue, shape: FeatureMapShape): FeatureMap {
  const [rows, channels, height, width] = shape;
  return { elements: elementsOf(where, values, shape), channels, shape: { rows, height, width } };
}

function blockMoments(
  { elements, channels, shape }: FeatureMap,
  channel: number,
  extent: Extent,
  origin: Origin,
) {
  const total = (term: (value: number) => number) => {
    let result = 0;
    for (let i = 0; i < extent.rows; i++) {
      const row = (origin.row + i) % shape.rows;
      for (let y = 0; y < extent.height; y++) {
        const line = ((row * channels + channel) * shape.height + origin.top + y) * shape.width;
        for (let x = 0; x < extent.width; x++) {
          result += term(elements[line + origin.left + x] as number);
        }
      }
    }
    return result;
  };
  const count = valueCount(extent);
  const mean = total((value) => value) / count;
  return { mean, variance: total((value) => (value - mean) ** 2) / count };
}

function distributionOf(errors: Float64Array): ErrorDistribution {
  const bias = errors.reduce((total, error) => total + error, 0) / errors.length;
  const square = errors.reduce((total, error) => total + error * error, 0) / errors.length;
  return { errors, bias, rms: Math.sqrt(square) };
}

function sum<T>(items: readonly T[], term: (item: T) => number): number {
  return items.reduce((total, item) => total + term(item), 0);
}
