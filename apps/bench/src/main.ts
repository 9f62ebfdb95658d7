// Benchmarks: one layer, a training step, a short training.
export {};
