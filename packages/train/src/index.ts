// Optimizers, schedules, the training loop, metrics and checkpoints.
export * from "./batch-statistics.ts";
export {
  type Checkpoint,
  checkCheckpoint,
  type Progress,
  type Settings,
} from "./checkpoint.ts";
export { decodeCheckpoint, encodeCheckpoint } from "./checkpoint-format.ts";
export { type EvaluateOptions, type Evaluation, evaluate } from "./evaluate.ts";
export * from "./events.ts";
export { initializeStates } from "./initial-states.ts";
export * from "./optimizer.ts";
export * from "./schedule.ts";
export { type Scores, scoreLogits } from "./scores.ts";
export * from "./state-dict.ts";
export * from "./trace.ts";
export { stepsPerEpoch, type TrainOptions, train } from "./train.ts";
export * from "./trainer.ts";
