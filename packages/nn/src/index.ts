// Convolution, dense layers, pooling, activations, initializers and losses.
export {};
