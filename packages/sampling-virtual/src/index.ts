// Virtual dataset normalization: statistics from a few synthetic images.
export {
  parseVirtualDataset,
  type VirtualDatasetOptions,
  virtualDataset,
} from "./virtual-dataset.ts";
