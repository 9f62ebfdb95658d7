// Image data sets from disk, an embedded one, and shuffled, augmented, prefetched batches.
export { loadCifar10 } from "./cifar10.ts";
export {
  createDataset,
  type Dataset,
  type DatasetParts,
  type Split,
} from "./dataset.ts";
export { loadEmbedded } from "./embedded.ts";
export { type Idx, loadIdx, parseIdx } from "./idx.ts";
export { loadMnist, type MnistOptions } from "./mnist.ts";
export { openDataset } from "./open-dataset.ts";
