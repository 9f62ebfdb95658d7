// Batch normalization over any sampling.

import {
  convolutionWeight,
  geometryOf,
  type Scope,
  uniformFanIn,
  type VirtualImages,
} from "@fewnorm/nn";
import { fullBatch, partsOf, type Sampling } from "@fewnorm/sampling";
import {
  conv2d,
  convolvedShape,
  foldIn,
  type Key,
  reshape,
  type Shape,
  type Tensor,
} from "@fewnorm/tensor";
import { type Convolution, foldedConvolution, foldedWith } from "./folded.ts";
import { type LayerPlan, planLayer } from "./layer-plan.ts";
import type { EpilogueOptions, Norm } from "./norm.ts";
import {
  type Affine,
  type GradientMode,
  normalizeLayer,
  normalizeWith,
} from "./normalize-layer.ts";
import { declareStates, type Statistics, updateRunning } from "./statistics.ts";

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Where the statistics come from; the whole batch by default. */
  readonly sampling?: Sampling;
  /** Default `exact`. */
  readonly gradient?: GradientMode;
  /** ε, added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Share of the batch value in the running statistics' update, as in PyTorch. Default 0.1. */
  readonly momentum?: number;
  /** Fold into the layer before wherever that computes the same. Default true. */
  readonly folded?: boolean;
}

/**
 * Batch normalization (Ioffe and Szegedy, 2015) whose statistics are estimated from a sample of the
 * batch (Chen et al., arXiv 1810.10962): y = γ·(x − μ)/√(σ² + ε) + β for every element, μ and σ² from
 * the sample. States: `weight` (γ), `bias` (β), `running_mean`, `running_var`.
 * @throws RangeError for options out of range; when a model is traced, for layers too small for the sample.
 */
export function batchNorm(options: BatchNormOptions = {}): Norm {
  const { sampling = fullBatch(), gradient = "exact", folded = true } = options;
  const { epsilon = 1e-5, momentum = 0.1 } = options;
  checkOptions(sampling, gradient, epsilon, momentum);

  /** Runs `train` or `evaluate` on the layer's states, and updates the running statistics. */
  function withStates(
    scope: Scope,
    name: string,
    shape: Shape,
    body: {
      train: (plan: LayerPlan, affine: Affine) => { y: Tensor; statistics: Statistics };
      evaluate: (running: Statistics, affine: Affine) => Tensor;
    },
  ): Tensor {
    const inner = scope.at(name);
    return scope.builder.labelled(inner.path, () => {
      const { gamma, beta, running } = declareStates(inner, shape[1] ?? 1);
      const affine = { gamma, beta, epsilon };
      if (scope.mode === "evaluate") return body.evaluate(running, affine);
      const plan = planLayer(scope, name, sampling, shape);
      const { y, statistics } = body.train(plan, affine);
      updateRunning(inner, running, statistics, plan.values, momentum);
      return y;
    });
  }

  function convolve(
    scope: Scope,
    name: string,
    convolution: Convolution,
    shape: Shape,
    epilogue: EpilogueOptions,
  ): Tensor {
    const { x, weight, geometry } = convolution;
    const foldable = folded && (gradient === "exact" || gradient === "detached");
    return withStates(scope, name, shape, {
      evaluate: (running, affine) => foldedWith(convolution, running, affine, epilogue),
      train: (plan, affine) =>
        foldable && !plan.full
          ? foldedConvolution(convolution, plan, affine, gradient === "detached", epilogue)
          : normalizeLayer(conv2d(x, weight, geometry), plan, affine, gradient, epilogue),
    });
  }

  return {
    name: gradient === "exact" ? sampling.name : `${sampling.name}@${gradient}`,
    virtualImages: virtualImagesOf(sampling),
    layer: (scope, name, x, epilogue = {}) =>
      withStates(scope, name, x.shape, {
        train: (plan, affine) => normalizeLayer(x, plan, affine, gradient, epilogue),
        evaluate: (running, affine) => normalizeWith(x, running, affine, epilogue),
      }),
    conv2d(scope, names, x, spec) {
      const weight = convolutionWeight(scope.at(names.linear), x, spec);
      const geometry = geometryOf(spec);
      const shape = convolvedShape(x.shape, weight.shape, geometry);
      return convolve(scope, names.norm, { x, weight, geometry }, shape, spec);
    },
    dense(scope, names, x, { units, residual, relu }) {
      const [n = 1, inputs = 1] = x.shape;
      const weight = scope
        .at(names.linear)
        .parameter("weight", [units, inputs], uniformFanIn(inputs));
      const pixels = (tensor: Tensor) => reshape(tensor, [...tensor.shape, 1, 1]);
      const y = convolve(
        scope,
        names.norm,
        { x: pixels(x), weight: pixels(weight), geometry: {} },
        [n, units, 1, 1],
        { residual: residual && pixels(residual), ...(relu === undefined ? {} : { relu }) },
      );
      return reshape(y, [n, units]);
    },
  };
}

function checkOptions(
  sampling: Sampling,
  gradient: GradientMode,
  epsilon: number,
  momentum: number,
): void {
  if (!(epsilon > 0)) {
    throw new RangeError(`batchNorm: epsilon is ${epsilon}; give a number above 0, such as 1e-5`);
  }
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new RangeError(`batchNorm: momentum is ${momentum}; give a number from 0 to 1`);
  }
  const virtualAlone = partsOf(sampling).every(({ strategy }) => strategy.virtualRows > 0);
  if (gradient === "sampled-all" && virtualAlone) {
    throw new RangeError(
      `batchNorm: ${sampling.name} has virtual rows only, whose gradients say nothing of the batch's; sampled-all needs real ones: add a part such as bs:4, or use exact`,
    );
  }
}

/** The virtual images of all the sampling's parts, one part after another. */
function virtualImagesOf(sampling: Sampling): VirtualImages | undefined {
  const parts = partsOf(sampling)
    .map(({ strategy }) => strategy)
    .filter((strategy) => strategy.virtualRows > 0);
  const count = parts.reduce((sum, strategy) => sum + strategy.virtualRows, 0);
  if (count === 0) return undefined;
  return {
    count,
    draw([, channels = 1, height = 1, width = 1]: Shape, key: Key) {
      const images = new Float32Array(count * channels * height * width);
      let offset = 0;
      for (const [i, { name, virtualRows, virtualInput }] of parts.entries()) {
        if (virtualInput === undefined) {
          throw new TypeError(`batchNorm: ${name} has virtual rows but no virtualInput()`);
        }
        const shape = { rows: virtualRows, channels, height, width };
        const part = virtualInput(shape, foldIn(key, i));
        images.set(part, offset);
        offset += part.length;
      }
      return images;
    },
  };
}
