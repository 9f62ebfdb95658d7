// From a model to the graphs of its training step, its evaluation and its gradients.

import {
  createScope,
  crossEntropy,
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
}

/**
 * One training step. Inputs: `images` [N, C, H, W] in standardized units, `labels` int32 [N],
 * `learningRate` scalar, and the model's draws. Outputs: `loss`, the mean cross-entropy, and
 * `logits` [N, classes], both before the update.
 * @throws RangeError when the model cannot work at this batch size.
 */
export function traceTraining(model: Model, options: TraceTrainingOptions): Traced {
  const { batch, optimizer } = options;
  const { builder, states, draws, loss } = traceLoss(model, batch);
  const parameters = states.filter(({ kind }) => kind === "parameter");
  const values = parameters.map(({ name, shape }) => builder.state(name, shape));
  const gradients = grad(loss, values);
  const learningRate = builder.input("learningRate", []);
  parameters.forEach((parameter, i) => {
    const [value, gradient] = [values[i] as Tensor, gradients[i] as Tensor];
    optimizer.update({ parameter, value, gradient, learningRate });
  });
  const slots = parameters.flatMap((parameter) => optimizer.slots(parameter));
  return { graph: builder.finish(), states: [...states, ...slots], draws };
}

/**
 * The gradients of the training loss, without an optimizer: outputs `loss`, `logits` and
 * `grad:<name>` for every parameter. Running statistics are updated as in training.
 */
export function traceGradients(model: Model, options: { readonly batch: number }): Traced {
  const { builder, states, draws, loss } = traceLoss(model, options.batch);
  const parameters = states.filter(({ kind }) => kind === "parameter");
  const values = parameters.map(({ name, shape }) => builder.state(name, shape));
  grad(loss, values).forEach((gradient, i) => {
    builder.output(`grad:${parameters[i]?.name}`, gradient);
  });
  return { graph: builder.finish(), states, draws };
}

/** The logits in evaluation mode: input `images` [N, C, H, W], output `logits` [N, classes]. */
export function traceEvaluation(model: Model, options: { readonly batch: number }): Traced {
  const { builder, states, draws } = traceLogits(model, "evaluate", options.batch);
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

function traceLoss(model: Model, batch: number) {
  const traced = traceLogits(model, "train", batch);
  const { builder, logits } = traced;
  const labels = builder.input("labels", [batch], "int32");
  const loss = builder.labelled("loss", () => crossEntropy(logits, labels));
  builder.output("loss", loss);
  return { ...traced, loss };
}

/** @param seen what the model's scope records with, made from the graph's builder */
function traceLogits(
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
  const logits = logitsOf(model, scope, images);
  if (!sameShape(logits.shape, [batch, model.classes])) {
    throw new RangeError(
      `trace: ${model.name} makes logits ${showShape(logits.shape)}; they must be ${showShape([batch, model.classes])}, a row for each image and a column for each class`,
    );
  }
  builder.output("logits", logits);
  return { builder, ...declarations, logits };
}
