// What tracing a model begins with: the builder, the scope, the images, and the model as a function.

import {
  createScope,
  type Declarations,
  logitsOf,
  type Mode,
  type Model,
  type Scope,
  type SharedStatistics,
  type StateDeclaration,
  virtualRowsOf,
} from "@fewnorm/nn";
import {
  type Builder,
  checkCount,
  createBuilder,
  type Shape,
  sameShape,
  showShape,
  type Tensor,
} from "@fewnorm/tensor";
import type { Objective } from "./objective.ts";

/** Options of {@link beginRecording}. */
export interface RecordingOptions {
  readonly mode: Mode;
  /** Images of a step, N. */
  readonly batch: number;
  /** What the model's scope records with, made from the graph's builder; that itself by default. */
  readonly seen?: ((builder: Builder) => Builder) | undefined;
  readonly shared?: SharedStatistics;
  /** Whether dropout drops; default in training. */
  readonly dropping?: boolean | undefined;
}

/** A graph that a model is recorded in. */
export interface Recording extends Declarations {
  readonly builder: Builder;
  readonly scope: Scope;
  /** [N, C, H, W]. */
  readonly images: Tensor;
  /** [N, classes]. */
  readonly logitsShape: Shape;
  /** The model: images → logits [N, classes]. */
  predict(images: Tensor): Tensor;
}

/** @throws RangeError for a batch that is no whole number >= 1. */
export function beginRecording(model: Model, options: RecordingOptions): Recording {
  const { mode, batch, seen = (builder) => builder, shared, dropping } = options;
  checkCount("trace", "batch", batch);
  const builder = createBuilder();
  const virtual = virtualRowsOf(model, mode);
  const { scope, declarations } = createScope(seen(builder), mode, virtual, shared, dropping);
  const images = builder.input("images", [batch, ...model.inputShape]);
  const logitsShape = [batch, model.classes];
  const predict = (input: Tensor): Tensor => {
    const logits = logitsOf(model, scope, input);
    checkLogits(model, logits, logitsShape);
    return logits;
  };
  return { builder, scope, images, logitsShape, predict, ...declarations };
}

function checkLogits({ name }: { readonly name: string }, { shape }: Tensor, expected: Shape) {
  if (sameShape(shape, expected)) return;
  throw new RangeError(
    `trace: ${name} makes logits ${showShape(shape)}; they must be ${showShape(expected)}, a row for each image and a column for each class`,
  );
}

/**
 * Records the objective of the images and of the input `labels`, int32 [N].
 * @throws RangeError for a loss that is no scalar, and for other logits than the model's.
 */
export function recordLoss(
  { builder, scope, images, logitsShape, predict }: Recording,
  objective: Objective,
): ReturnType<Objective["record"]> {
  const labels = builder.input("labels", images.shape.slice(0, 1), "int32");
  const { logits, loss } = objective.record({ scope, images, labels, predict });
  checkLogits(objective, logits, logitsShape);
  if (loss.shape.length > 0) {
    throw new RangeError(
      `trace: ${objective.name} makes a loss ${showShape(loss.shape)}; it must be a scalar, []: the mean over the images`,
    );
  }
  return { logits, loss };
}

/** The parameters among `states`, and their values. */
export function parametersOf(builder: Builder, states: readonly StateDeclaration[]) {
  const parameters = states.filter(({ kind }) => kind === "parameter");
  const values = parameters.map(({ name, shape }) => builder.state(name, shape));
  return { parameters, values };
}
