// The contract of a sampling strategy, what every strategy needs, and the conformance suite.
export {
  type ConformanceOptions,
  strategyConformance,
  type TestContext,
  type TestFunction,
} from "./conformance.ts";
export {
  type ErrorDistribution,
  effectiveSampleSize,
  type FeatureMapShape,
  intraImageCorrelation,
  type SamplingError,
  type SamplingErrorOptions,
  samplingError,
} from "./diagnostics.ts";
export { type DrawnLayer, type DrawnPart, drawOrigin, drawOrigins } from "./draw-origins.ts";
export { fullBatch } from "./full-batch.ts";
export {
  checkSampling,
  type Mixture,
  mixture,
  type Part,
  partsOf,
  type Sampling,
} from "./mixture.ts";
export {
  describeSize,
  type PlannedPart,
  planExtent,
  planParts,
  tooFewValues,
  valueCount,
} from "./plan.ts";
export {
  checkRatio,
  formatRatio,
  formatRatioOptions,
  parseCount,
  parseRatio,
  parseRatioOptions,
  type RatioOptions,
} from "./settings.ts";
export type { Extent, MapShape, Origin, Strategy, VirtualShape } from "./strategy.ts";
