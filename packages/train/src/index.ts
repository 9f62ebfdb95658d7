// Optimizers, schedules, the training loop, metrics and checkpoints.
export * from "./adamw.ts";
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
export { type LarsOptions, lars } from "./lars.ts";
export {
  type ClassificationOptions,
  classification,
  type MixupOptions,
  mixup,
  type Objective,
  type ObjectiveContext,
} from "./objective.ts";
export {
  type Optimizer,
  type ParameterGradient,
  type SgdOptions,
  sgd,
  weightsOnly,
} from "./optimizer.ts";
export * from "./optimizer-wrappers.ts";
export * from "./schedule.ts";
export { type Scores, scoreLogits } from "./scores.ts";
export * from "./state-dict.ts";
export * from "./trace.ts";
export * from "./trace-micro.ts";
export { stepsPerEpoch, type TrainOptions, train } from "./train.ts";
export * from "./trainer.ts";
