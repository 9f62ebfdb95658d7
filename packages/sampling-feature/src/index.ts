// Feature sampling: statistics from a patch of every feature map.
export {
  type FeatureSamplingOptions,
  featureSampling,
  parseFeatureSampling,
} from "./feature-sampling.ts";
