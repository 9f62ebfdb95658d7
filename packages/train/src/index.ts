// Optimizers, schedules, the training loop, metrics and checkpoints.
export * from "./adamw.ts";
export type { BatchStatisticsOptions } from "./batch-statistics.ts";
export {
  type Checkpoint,
  checkCheckpoint,
  type Progress,
  type Settings,
} from "./checkpoint.ts";
export { decodeCheckpoint, encodeCheckpoint } from "./checkpoint-format.ts";
export { type EvaluateOptions, type Evaluation, evaluate } from "./evaluate.ts";
export * from "./evaluate-with-batch-statistics.ts";
export * from "./events.ts";
export { initializeStates } from "./initial-states.ts";
export * from "./lars.ts";
export {
  type ClassificationOptions,
  classification,
  type MixupOptions,
  mixup,
  type Objective,
  type ObjectiveContext,
} from "./objective.ts";
export type { Optimizer, ParameterGradient } from "./optimizer.ts";
export { weightsOnly } from "./optimizer-parts.ts";
export * from "./optimizer-wrappers.ts";
export * from "./recalibrate.ts";
export * from "./schedule.ts";
export { type Scores, scoreLogits } from "./scores.ts";
export * from "./sgd.ts";
export * from "./state-dict.ts";
export * from "./steps-per-epoch.ts";
export {
  type Traced,
  type TraceEvaluationOptions,
  type TraceTrainingOptions,
  traceEvaluation,
  traceGradients,
  traceTraining,
} from "./trace.ts";
export * from "./trace-micro.ts";
export * from "./train.ts";
export type { TrainOptions } from "./train-options.ts";
export {
  createTrainer,
  type HostTensor,
  type StepFeeds,
  type Trainer,
  type TrainerOptions,
} from "./trainer.ts";
export { turn } from "./turn.ts";
