// Batch normalization over any sampling strategy, folded or as a layer of its own; and none.
export { type BatchNormOptions, batchNorm } from "./batch-norm.ts";
export { noNorm } from "./no-norm.ts";
export type { EpilogueOptions, LayerNames, Norm } from "./norm.ts";
export type { GradientMode } from "./normalize-layer.ts";
