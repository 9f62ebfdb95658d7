// Batch sampling: statistics from a few consecutive images of the batch; and naive sampling.
export {};
