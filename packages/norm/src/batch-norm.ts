// Batch normalization over any sampling.

import type { SharedStatistics, VirtualImages } from "@fewnorm/nn";
import { checkSampling, fullBatch, partsOf, type Sampling } from "@fewnorm/sampling";
import {
  add,
  checkKind,
  checkOptions,
  foldIn,
  type Key,
  type Shape,
  type Tensor,
} from "@fewnorm/tensor";
import { checkChoice, checkEpsilon, checkMomentum } from "./checks.ts";
import {
  type Convolution,
  convolve,
  foldedConvolution,
  foldedWith,
  foldingPays,
} from "./folded.ts";
import { type LayerPlan, planLayer } from "./layer-plan.ts";
import type { Norm } from "./norm.ts";
import {
  type GradientMode,
  gradientModes,
  normalizeLayer,
  normalizeWith,
} from "./normalize-layer.ts";
import { type RunningStates, runningNorm, type TrainedLayer } from "./running-norm.ts";
import { giveStatistics, sharingOf, takeStatistics } from "./shared-statistics.ts";
import { declareStates, type Statistics, updateRunning } from "./statistics.ts";

type BatchNormLayer = TrainedLayer<RunningStates>;

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
  /**
   * Whether to fold into the layer before where that computes the same: `true` wherever it does, `auto`
   * (the default) where it also moves less data than a layer of its own, `false` nowhere.
   */
  readonly folded?: boolean | "auto";
}

/**
 * Batch normalization (Ioffe and Szegedy, 2015) whose statistics are estimated from a sample of the
 * batch (Chen et al., arXiv 1810.10962): y = γ·(x − μ)/√(σ² + ε) + β for every element, μ and σ² from
 * the sample. States: `weight` (γ), `bias` (β), `running_mean`, `running_var`.
 * @throws RangeError for options out of range; when a model is traced, for layers too small for the sample.
 */
export function batchNorm(options: BatchNormOptions = {}): Norm {
  checkOptions("batchNorm", options, {
    sampling: "any",
    gradient: "string",
    epsilon: "number",
    momentum: "number",
    folded: "any",
  });
  const { sampling = fullBatch(), gradient = "exact", folded = "auto" } = options;
  const { epsilon = 1e-5, momentum = 0.1 } = options;
  checkSettings(sampling, gradient, epsilon, momentum);
  if (folded !== "auto") checkKind("batchNorm", "folded", folded, "boolean");
  const foldable = gradient === "exact" || gradient === "detached";

  /** Whether the convolution with this result is folded; `plan` says where its statistics come from. */
  const folds = ({ weight }: Convolution, shape: Shape, plan?: LayerPlan): boolean =>
    foldable && (folded === "auto" ? foldingPays(weight.shape, shape, plan) : folded);

  function planOf({ scope, name }: BatchNormLayer, shape: Shape): LayerPlan {
    return planLayer(scope, name, sampling, shape);
  }

  /** What the layer has in common with other micro-batches. */
  function sharing({ scope, name }: BatchNormLayer, shape: Shape): SharedStatistics | undefined {
    const shared = sharingOf(scope, name, sampling, shape);
    if (shared !== undefined && gradient !== "exact" && gradient !== "detached") {
      throw new RangeError(
        `batchNorm: ${sampling.name}@${gradient} needs the sample and the rest at once, and micro-batches come one by one; use exact or detached`,
      );
    }
    return shared;
  }

  function taken(layer: BatchNormLayer, shape: Shape): Statistics | undefined {
    const shared = sharing(layer, shape);
    return shared?.role === "take" ? takeStatistics(shared, layer.inner, shape[1] ?? 1) : undefined;
  }

  function updated(
    layer: BatchNormLayer,
    { values }: LayerPlan,
    { y, statistics }: { y: Tensor; statistics: Statistics },
    leftOut?: Tensor,
  ): Tensor {
    const { inner, states } = layer;
    const shared = sharing(layer, y.shape);
    if (shared?.role === "give") giveStatistics(shared, inner, statistics);
    const mean = leftOut === undefined ? statistics.mean : add(statistics.mean, leftOut);
    updateRunning(inner, states.running, { ...statistics, mean }, values, momentum);
    return y;
  }

  return runningNorm<RunningStates>({
    name: gradient === "exact" ? sampling.name : `${sampling.name}@${gradient}`,
    virtualImages: virtualImagesOf(sampling),
    calibration: () => batchNorm({ epsilon, momentum: 1 }),
    declare: (inner, channels) => declareStates(inner, channels, epsilon),
    train(layer, x, epilogue) {
      const { affine } = layer.states;
      const given = taken(layer, x.shape);
      if (given !== undefined) return normalizeWith(x, given, affine, epilogue);
      const plan = planOf(layer, x.shape);
      return updated(layer, plan, normalizeLayer(x, plan, affine, gradient, epilogue));
    },
    trainBehind(layer, { bias, ...rest }, shape, epilogue) {
      const { affine } = layer.states;
      // A bias moves the mean as much as the values: it cancels, if both tell it their gradients.
      const leftOut = gradient === "exact" ? bias : undefined;
      const convolution = { ...rest, bias: leftOut === undefined ? bias : undefined };
      const given = taken(layer, shape);
      if (given !== undefined) {
        return folds(convolution, shape)
          ? foldedWith(convolution, given, affine, epilogue)
          : normalizeWith(convolve(convolution), given, affine, epilogue);
      }
      const plan = planOf(layer, shape);
      return updated(
        layer,
        plan,
        !plan.full && folds(convolution, shape, plan)
          ? foldedConvolution(convolution, plan, affine, gradient === "detached", epilogue)
          : normalizeLayer(convolve(convolution), plan, affine, gradient, epilogue),
        leftOut,
      );
    },
  });
}

function checkSettings(
  sampling: Sampling,
  gradient: GradientMode,
  epsilon: number,
  momentum: number,
): void {
  checkEpsilon("batchNorm", epsilon);
  checkMomentum("batchNorm", momentum);
  checkChoice("batchNorm", "gradient", gradient, gradientModes);
  checkSampling("batchNorm", sampling);
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
      for (const [i, strategy] of parts.entries()) {
        const { name, virtualRows: rows } = strategy;
        const part = strategy.virtualInput?.({ rows, channels, height, width }, foldIn(key, i));
        const size = rows * channels * height * width;
        if (part?.length !== size) {
          throw new RangeError(
            `batchNorm: ${name}: virtualInput gave ${part?.length ?? "no"} values; [${rows}, ${channels}, ${height}, ${width}] takes ${size}, one image after another`,
          );
        }
        images.set(part, offset);
        offset += size;
      }
      return images;
    },
  };
}
