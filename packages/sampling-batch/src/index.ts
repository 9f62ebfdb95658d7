// Batch sampling: statistics from a few consecutive images of the batch; and naive sampling.
export { type BatchSamplingOptions, batchSampling, parseBatchSampling } from "./batch-sampling.ts";
export { type NaiveSamplingOptions, naiveSampling, parseNaiveSampling } from "./naive-sampling.ts";
