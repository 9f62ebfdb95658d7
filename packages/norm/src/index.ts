// Batch normalization over any sampling strategy, folded or as a layer of its own; its rivals; and none.
export { type BatchNormOptions, batchNorm } from "./batch-norm.ts";
export { type BatchRenormOptions, batchRenorm } from "./batch-renorm.ts";
export { type FrozenNormOptions, frozenNorm } from "./frozen-norm.ts";
export { type GhostBatchNormOptions, ghostBatchNorm } from "./ghost-batch-norm.ts";
export {
  type GroupNormOptions,
  groupNorm,
  type InstanceNormOptions,
  instanceNorm,
  type LayerNormOptions,
  layerNorm,
} from "./image-norms.ts";
export { noNorm } from "./no-norm.ts";
export type { EpilogueOptions, LayerNames, Norm, NormalizedConvolution } from "./norm.ts";
export { type GradientMode, gradientModes } from "./normalize-layer.ts";
export {
  type WeightStandardizationOptions,
  weightStandardization,
} from "./weight-standardization.ts";
