// From a model to the graphs of its training step, its evaluation and its gradients.

import type { Draw, Model, StateDeclaration } from "@fewnorm/nn";
import { checkMethod, type Graph, grad } from "@fewnorm/tensor";
import { classification, type Objective } from "./objective.ts";
import { type Optimizer, recordUpdate } from "./optimizer.ts";
import { beginRecording, parametersOf, type RecordingOptions, recordLoss } from "./recording.ts";

/** A traced step: its graph, the states that it uses, and what is drawn and fed at each run. */
export interface Traced {
  readonly graph: Graph;
  /** Model states in the order of declaration, then the optimizer's. */
  readonly states: readonly StateDeclaration[];
  readonly draws: readonly Draw[];
}

/** Options of {@link traceTraining}. */
export interface TraceTrainingOptions {
  /** Images of a step, N. */
  readonly batch: number;
  readonly optimizer: Optimizer;
  /** Default `classification()`: the mean cross-entropy. */
  readonly objective?: Objective | undefined;
}

/**
 * One training step. Inputs: `images` [N, C, H, W] in standardized units, `labels` int32 [N],
 * `learningRate` scalar, and the draws of model and objective. Outputs: `loss` and `logits` [N, classes],
 * both before the update.
 * @throws RangeError when the model cannot work at this batch size.
 */
export function traceTraining(model: Model, options: TraceTrainingOptions): Traced {
  const { optimizer } = options;
  checkMethod("traceTraining", "optimizer", optimizer, "slots", "one, such as sgd()");
  const { builder, states, draws, loss } = traceLoss(model, options);
  const { parameters, values } = parametersOf(builder, states);
  recordUpdate(builder, optimizer, parameters, values, grad(loss, values));
  return {
    graph: builder.finish(),
    states: [...states, ...optimizer.slots(parameters)],
    draws,
  };
}

/**
 * The gradients of the training loss, without an optimizer: outputs `loss`, `logits` and
 * `grad:<name>` for every parameter. Running statistics are updated as in training.
 */
export function traceGradients(
  model: Model,
  options: Omit<TraceTrainingOptions, "optimizer">,
): Traced {
  const { builder, states, draws, loss } = traceLoss(model, options);
  const { parameters, values } = parametersOf(builder, states);
  grad(loss, values).forEach((gradient, i) => {
    builder.output(`grad:${parameters[i]?.name}`, gradient);
  });
  return { graph: builder.finish(), states, draws };
}

/** Options of {@link traceEvaluation}. */
export interface TraceEvaluationOptions {
  /** Images of a step, N. */
  readonly batch: number;
  /** The state that is read for a name that the model declares; by default that of the name itself. */
  readonly stateFor?: (name: string) => string;
}

/** The logits in evaluation mode: input `images` [N, C, H, W], output `logits` [N, classes]. */
export function traceEvaluation(model: Model, options: TraceEvaluationOptions): Traced {
  const { batch, stateFor = (name) => name } = options;
  const { builder, states, draws } = traceLogits(model, {
    mode: "evaluate",
    batch,
    seen: (recorded) => ({
      ...recorded,
      state: (name, shape) => recorded.state(stateFor(name), shape),
    }),
  });
  return { graph: builder.finish(), states, draws };
}

/** Options of {@link traceBatchStatistics}. */
export interface TraceBatchStatisticsOptions {
  /** Images of a step, N. */
  readonly batch: number;
  /** Whether dropout drops, as in training. */
  readonly dropping: boolean;
}

/**
 * The logits with statistics of the batch itself, as in training, but nothing is changed: outputs `logits` and,
 * in place of every update of a running statistic, `statistic:<name>` with the value that it would get. Inputs:
 * `images` and the model's draws.
 */
export function traceBatchStatistics(model: Model, options: TraceBatchStatisticsOptions): Traced {
  const { builder, states, draws } = traceLogits(model, {
    mode: "train",
    ...options,
    seen: (recorded) => ({
      ...recorded,
      update: (name, tensor) => recorded.output(`statistic:${name}`, tensor),
    }),
  });
  return { graph: builder.finish(), states, draws };
}

function traceLoss(
  model: Model,
  { batch, objective = classification() }: Omit<TraceTrainingOptions, "optimizer">,
) {
  const recording = beginRecording(model, { mode: "train", batch });
  const { logits, loss } = recordLoss(recording, objective);
  recording.builder.output("logits", logits);
  recording.builder.output("loss", loss);
  return { ...recording, loss };
}

function traceLogits(model: Model, options: RecordingOptions) {
  const recording = beginRecording(model, options);
  recording.builder.output("logits", recording.predict(recording.images));
  return recording;
}
