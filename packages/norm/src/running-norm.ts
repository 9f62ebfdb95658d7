// Norms that normalize with statistics of the batch in training and with running statistics in evaluation.

import type { Scope } from "@fewnorm/nn";
import type { Shape, Tensor } from "@fewnorm/tensor";
import { type Convolution, convolve, foldedWith } from "./folded.ts";
import { layeredNorm } from "./layered-norm.ts";
import type { EpilogueOptions, Norm } from "./norm.ts";
import { type Affine, normalizeWith } from "./normalize-layer.ts";
import type { Statistics } from "./statistics.ts";

/** γ and β, and the statistics that evaluation uses. */
export interface RunningStates {
  readonly affine: Affine;
  readonly running: Statistics;
}

/** A layer in training. */
export interface TrainedLayer<S extends RunningStates> {
  /** The scope that the layer stands in, and its name there. */
  readonly scope: Scope;
  readonly name: string;
  /** The layer's own scope, in which its states are. */
  readonly inner: Scope;
  readonly states: S;
}

/** What {@link runningNorm} makes a norm from. */
export interface RunningNormSpec<S extends RunningStates>
  extends Pick<Norm, "name" | "virtualImages"> {
  readonly calibration?: Norm["calibration"];
  /** Declares the states of a layer of so many channels. */
  declare(inner: Scope, channels: number): S;
  /** act(norm(x) + residual) in training, and the running statistics' update. */
  train(layer: TrainedLayer<S>, x: Tensor, epilogue: EpilogueOptions): Tensor;
  /** The same of a convolution, where it can be folded into it; `shape` is the result's. */
  trainBehind?(
    layer: TrainedLayer<S>,
    convolution: Convolution,
    shape: Shape,
    epilogue: EpilogueOptions,
  ): Tensor;
}

/** A norm that is folded into what is before it in evaluation, and in training as `spec` says. */
export function runningNorm<S extends RunningStates>(spec: RunningNormSpec<S>): Norm {
  const { name, virtualImages, calibration } = spec;

  /** Runs `body` on the layer's states, its nodes labelled. */
  function withStates(
    scope: Scope,
    layer: string,
    channels: number,
    body: (layer: TrainedLayer<S>) => Tensor,
  ): Tensor {
    const inner = scope.at(layer);
    return scope.builder.labelled(inner.path, () =>
      body({ scope, name: layer, inner, states: spec.declare(inner, channels) }),
    );
  }

  return layeredNorm({
    name,
    virtualImages,
    ...(calibration === undefined ? {} : { calibration }),
    layer: (scope, layerName, x, epilogue = {}) =>
      withStates(scope, layerName, x.shape[1] ?? 1, (layer) => {
        const { affine, running } = layer.states;
        return scope.mode === "evaluate"
          ? normalizeWith(x, running, affine, epilogue)
          : spec.train(layer, x, epilogue);
      }),
    behind: (scope, layerName, convolution, shape, epilogue) =>
      withStates(scope, layerName, shape[1] ?? 1, (layer) => {
        const { affine, running } = layer.states;
        if (scope.mode === "evaluate") return foldedWith(convolution, running, affine, epilogue);
        return spec.trainBehind === undefined
          ? spec.train(layer, convolve(convolution), epilogue)
          : spec.trainBehind(layer, convolution, shape, epilogue);
      }),
  });
}
