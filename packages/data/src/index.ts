// Image data sets from disk, an embedded one, and shuffled, augmented, prefetched batches.
export type { Augmentation } from "./augmentation.ts";
export {
  type Batch,
  type BatchBuffers,
  type Batches,
  type BatchesOptions,
  type BatchSource,
  createBatches,
} from "./batches.ts";
export { loadCifar10 } from "./cifar10.ts";
export {
  createDataset,
  type Dataset,
  type DatasetParts,
  type Labels,
  type Split,
  wrongLabel,
} from "./dataset.ts";
export { loadEmbedded } from "./embedded.ts";
export { type Idx, loadIdx, parseIdx } from "./idx.ts";
export { loadMnist, type MnistOptions } from "./mnist.ts";
export { openDataset } from "./open-dataset.ts";
export { createPrefetch, type Prefetch, type PrefetchOptions } from "./prefetch.ts";
