// Optimizers, schedules, the training loop, metrics and checkpoints.
export {};
