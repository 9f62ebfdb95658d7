// Batch normalization over any sampling strategy, on its own or folded into a convolution.
export {};
