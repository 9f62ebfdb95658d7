// Norms whose statistics are those of one image: group, layer and instance norm.

import { ones, type Scope, zeros } from "@fewnorm/nn";
import {
  checkCount,
  checkOptions,
  mean,
  normalize,
  relu as rectify,
  reshape,
  type Shape,
  type Tensor,
} from "@fewnorm/tensor";
import { checkChoice, checkEpsilon, checkMomentum, checkValues } from "./checks.ts";
import { layeredNorm } from "./layered-norm.ts";
import type { EpilogueOptions, Norm } from "./norm.ts";
import { groupMean, pixelMean, type SetMean, standardize } from "./standardize.ts";
import { declareAffine, inverseDeviation, type Statistics, updateRunning } from "./statistics.ts";

interface ImageNormOptions {
  /** ε, added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** Options of {@link groupNorm}. */
export interface GroupNormOptions extends ImageNormOptions {
  /** G; must divide every layer's channels. Default 32, as published. */
  readonly groups?: number;
  /** γ and β for each channel. Default true, as in PyTorch. */
  readonly affine?: boolean;
}

/**
 * Group normalization (Wu and He, ECCV 2018): y = γ·(x − μ)/√(σ² + ε) + β, μ and σ² of one image's
 * C/G neighbouring channels and all of their pixels. `torch.nn.GroupNorm`. The same in evaluation.
 * States: `weight` (γ), `bias` (β).
 * @throws RangeError for options out of range; when a model is traced, for channels that are no
 *   multiple of G and for groups of one value.
 */
export function groupNorm(options: GroupNormOptions = {}): Norm {
  checkOptions("groupNorm", options, { groups: "number", affine: "boolean", epsilon: "number" });
  const { groups = 32, affine = true, epsilon = 1e-5 } = options;
  checkCount("groupNorm", "groups", groups);
  checkEpsilon("groupNorm", epsilon);
  return imageNorm(`gn:${groups}${affine ? "" : ":plain"}`, affine, (x, { inner }) => {
    const [n = 1, c = 1] = x.shape;
    if (c % groups !== 0) {
      throw new RangeError(
        `groupNorm: layer "${inner.path}" has ${c} channels, which do not divide into ${groups} groups; choose a divisor of ${c}`,
      );
    }
    checkValues(inner.path, x.shape, valuesOfEach(x.shape, n * groups), "use fewer groups");
    return standardize(x, groupMean(x.shape, groups), epsilon).normalized;
  });
}

/** Options of {@link layerNorm}. */
export interface LayerNormOptions extends ImageNormOptions {
  /**
   * What shares a mean and a variance: all channels and pixels of an image, as where layer norm is
   * compared in convolutional networks (Wu and He, 2018), or all channels of one pixel, as in Keras and
   * ConvNeXt. Default `image`. For [N, C] both are `torch.nn.LayerNorm(C)`.
   */
  readonly over?: "image" | "pixel";
  /** γ and β for each channel, not, as `torch.nn.LayerNorm([C, H, W])` has it, for each element. Default true. */
  readonly affine?: boolean;
}

/**
 * Layer normalization (Ba et al., arXiv 1607.06450), with γ and β for each channel: of whole images it is
 * `torch.nn.GroupNorm(1, C)`. States: `weight`, `bias`.
 * @throws RangeError for options out of range; when a model is traced, for statistics of one value.
 */
export function layerNorm(options: LayerNormOptions = {}): Norm {
  checkOptions("layerNorm", options, { over: "string", affine: "boolean", epsilon: "number" });
  const { over = "image", affine = true, epsilon = 1e-5 } = options;
  checkEpsilon("layerNorm", epsilon);
  checkChoice("layerNorm", "over", over, ["image", "pixel"]);
  const name = `ln${over === "pixel" ? ":pixel" : ""}${affine ? "" : ":plain"}`;
  return imageNorm(name, affine, (x, { inner }) => {
    const [n = 1, c = 1] = x.shape;
    const values = over === "pixel" ? c : valuesOfEach(x.shape, n);
    checkValues(inner.path, x.shape, values, "use another norm for so small a layer");
    const means: SetMean = over === "pixel" ? pixelMean : groupMean(x.shape, 1);
    return standardize(x, means, epsilon).normalized;
  });
}

/** Options of {@link instanceNorm}. */
export interface InstanceNormOptions extends ImageNormOptions {
  /** γ and β for each channel. Default false, as in PyTorch. */
  readonly affine?: boolean;
  /** Evaluation uses running statistics instead of the image's own. Default false, as in PyTorch. */
  readonly trackRunningStats?: boolean;
  /** The batch's share in the running statistics, as in PyTorch (Keras counts the other way). Default 0.1. */
  readonly momentum?: number;
}

/**
 * Instance normalization (Ulyanov et al., arXiv 1607.08022): the mean and variance of one channel of one
 * image. `torch.nn.InstanceNorm2d`. States: `weight` and `bias` if affine; `running_mean` and
 * `running_var`, means over the batch, if tracked.
 * @throws RangeError for options out of range; when a model is traced, for maps of one pixel.
 */
export function instanceNorm(options: InstanceNormOptions = {}): Norm {
  checkOptions("instanceNorm", options, {
    affine: "boolean",
    trackRunningStats: "boolean",
    momentum: "number",
    epsilon: "number",
  });
  const { affine = false, trackRunningStats: tracked = false } = options;
  const { epsilon = 1e-5, momentum = 0.1 } = options;
  checkEpsilon("instanceNorm", epsilon);
  checkMomentum("instanceNorm", momentum);
  const name = `in${affine ? "" : ":plain"}${tracked ? ":tracked" : ""}`;
  const norm = imageNorm(name, affine, (x, { scope, inner }) => {
    const [n = 1, c = 1] = x.shape;
    const running: Statistics | undefined = tracked
      ? {
          mean: inner.buffer("running_mean", [c], zeros),
          variance: inner.buffer("running_var", [c], ones),
        }
      : undefined;
    if (running !== undefined && scope.mode === "evaluate")
      return standardizedBy(x, running, epsilon);
    const values = valuesOfEach(x.shape, n * c);
    checkValues(inner.path, x.shape, values, "use another norm for maps of one pixel");
    const { normalized, statistics } = standardize(x, groupMean(x.shape, c), epsilon);
    if (running !== undefined) {
      const ofBatch = (images: Tensor) => mean(reshape(images, [n, c]), [0]);
      const batch = { mean: ofBatch(statistics.mean), variance: ofBatch(statistics.variance) };
      updateRunning(inner, running, batch, values, momentum);
    }
    return normalized;
  });
  const calibration = () => instanceNorm({ ...options, momentum: 1 });
  return tracked ? { ...norm, calibration } : norm;
}

interface ImageLayer {
  readonly scope: Scope;
  /** The layer's own scope. */
  readonly inner: Scope;
}

/** The norm that standardizes as told, followed by γ and β and what a layer ends in. */
function imageNorm(
  name: string,
  affine: boolean,
  standardized: (x: Tensor, layer: ImageLayer) => Tensor,
): Norm {
  return layeredNorm({
    name,
    virtualImages: undefined,
    layer(scope, layer, x, epilogue = {}) {
      const inner = scope.at(layer);
      return scope.builder.labelled(inner.path, () => {
        const parameters = affine ? declareAffine(inner, x.shape[1] ?? 1) : undefined;
        return ending(standardized(x, { scope, inner }), parameters, epilogue);
      });
    },
  });
}

/** act(γ·x̂ + β + residual). */
function ending(
  x: Tensor,
  affine: { readonly gamma: Tensor; readonly beta: Tensor } | undefined,
  epilogue: EpilogueOptions,
): Tensor {
  const { residual, relu = false } = epilogue;
  const constant = (value: number) => x.builder.constant(value, [x.shape[1] ?? 1]);
  const { gamma = constant(1), beta = constant(0) } = affine ?? {};
  if (affine === undefined && residual === undefined) return relu ? rectify(x) : x;
  return normalize(x, constant(0), gamma, beta, epilogue);
}

function standardizedBy(x: Tensor, { mean: μ, variance }: Statistics, epsilon: number): Tensor {
  const zero = x.builder.constant(0, μ.shape);
  return normalize(x, μ, inverseDeviation(variance, epsilon), zero);
}

/** Elements of each of `parts` equal parts. */
const valuesOfEach = (shape: Shape, parts: number): number =>
  shape.reduce((size, length) => size * length, 1) / parts;
