// From a model to the graphs of its training step, its evaluation and its gradients.

import {
  createScope,
  type Draw,
  logitsOf,
  type Mode,
  type Model,
  type StateDeclaration,
  virtualRowsOf,
} from "@fewnorm/nn";
import {
  type Builder,
  createBuilder,
  type Graph,
  grad,
  sameShape,
  showShape,
  type Tensor,
} from "@fewnorm/tensor";
import { classification, type Objective } from "./objective.ts";
import type { Optimizer } from "./optimizer.ts";

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
  const { builder, states, draws, loss } = traceLoss(model, options);
  const parameters = states.filter(({ kind }) => kind === "parameter");
  const values = parameters.map(({ name, shape }) => builder.state(name, shape));
  const gradients = grad(loss, values);
  const learningRate = builder.input("learningRate", []);
  const next = optimizer.step(
    parameters.map((parameter, i) => ({
      parameter,
      value: values[i] as Tensor,
      gradient: gradients[i] as Tensor,
    })),
    learningRate,
  );
  parameters.forEach(({ name }, i) => {
    builder.update(name, next[i] as Tensor);
  });
  const slots = optimizer.slots(parameters);
  return { graph: builder.finish(), states: [...states, ...slots], draws };
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
  const parameters = states.filter(({ kind }) => kind === "parameter");
  const values = parameters.map(({ name, shape }) => builder.state(name, shape));
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
  const { builder, states, draws } = traceLogits(model, "evaluate", batch, (recorded) => ({
    ...recorded,
    state: (name, shape) => recorded.state(stateFor(name), shape),
  }));
  return { graph: builder.finish(), states, draws };
}

/**
 * The logits with statistics of the batch itself, as in training, but nothing is changed: outputs `logits` and,
 * in place of every update of a running statistic, `statistic:<name>` with the value that it would get. Inputs:
 * `images` and the model's draws.
 */
export function traceBatchStatistics(model: Model, options: { readonly batch: number }): Traced {
  const { builder, states, draws } = traceLogits(model, "train", options.batch, (recorded) => ({
    ...recorded,
    update: (name, tensor) => recorded.output(`statistic:${name}`, tensor),
  }));
  return { graph: builder.finish(), states, draws };
}

function traceLoss(
  model: Model,
  { batch, objective = classification() }: Omit<TraceTrainingOptions, "optimizer">,
) {
  const traced = begin(model, "train", batch);
  const { builder, scope, images, predict } = traced;
  const labels = builder.input("labels", [batch], "int32");
  const { logits, loss } = objective.record({ scope, images, labels, predict });
  builder.output("logits", logits);
  builder.output("loss", loss);
  return { ...traced, loss };
}

function traceLogits(model: Model, mode: Mode, batch: number, seen: (from: Builder) => Builder) {
  const traced = begin(model, mode, batch, seen);
  traced.builder.output("logits", traced.predict(traced.images));
  return traced;
}

/** @param seen what the model's scope records with, made from the graph's builder */
function begin(
  model: Model,
  mode: Mode,
  batch: number,
  seen: (builder: Builder) => Builder = (builder) => builder,
) {
  if (!(Number.isSafeInteger(batch) && batch >= 1)) {
    throw new RangeError(`trace: batch is ${batch}; give a whole number >= 1`);
  }
  const builder = createBuilder();
  const { scope, declarations } = createScope(seen(builder), mode, virtualRowsOf(model, mode));
  const images = builder.input("images", [batch, ...model.inputShape]);
  const predict = (input: Tensor): Tensor => {
    const logits = logitsOf(model, scope, input);
    if (!sameShape(logits.shape, [batch, model.classes])) {
      throw new RangeError(
        `trace: ${model.name} makes logits ${showShape(logits.shape)}; they must be ${showShape([batch, model.classes])}, a row for each image and a column for each class`,
      );
    }
    return logits;
  };
  return { builder, scope, images, predict, ...declarations };
}
