// Layers without state beyond their parameters: convolution and dense; and the loss.

import {
  type Conv2dOptions,
  checkShape,
  conv2d as convolve,
  convolvedShape,
  mean,
  reshape,
  softmaxCrossEntropy,
  type Tensor,
} from "@fewnorm/tensor";
import { heNormal, type Initializer, uniformFanIn, zeros } from "./initializers.ts";
import type { Scope } from "./scope.ts";

/** Size and geometry of a convolution. */
export interface ConvolutionSpec {
  /** Output channels. */
  readonly channels: number;
  /** Height and width of the kernel. */
  readonly kernel: number | readonly [number, number];
  readonly stride?: number | readonly [number, number];
  /** Zero pixels on each side; default 0. */
  readonly padding?: number | readonly [number, number];
  readonly groups?: number;
  /** Default He et al. (2015), normal, fan-out. */
  readonly initialize?: Initializer;
}

/**
 * The weight `weight` [channels, C/groups, kh, kw] of a convolution of x, declared in `scope`.
 * @throws RangeError, naming the layer, for sizes that do not fit.
 */
export function convolutionWeight(scope: Scope, x: Tensor, spec: ConvolutionSpec): Tensor {
  const { channels, kernel, groups = 1, initialize = heNormal } = spec;
  const [kh, kw] = typeof kernel === "number" ? [kernel, kernel] : kernel;
  const shape = [channels, (x.shape[1] ?? 1) / groups, kh, kw];
  const where = `conv2d: layer "${scope.path}"`;
  checkShape(`${where}, weight`, shape);
  convolvedShape(x.shape, shape, geometryOf(spec), where);
  return scope.parameter("weight", shape, initialize);
}

/** The geometry of `spec` as options of the primitive. */
export function geometryOf(
  spec: ConvolutionSpec,
): Pick<Conv2dOptions, "stride" | "padding" | "groups"> {
  const { stride = 1, padding = 0, groups = 1 } = spec;
  return { stride, padding, groups };
}

/** Options of {@link conv2d}. */
export interface Conv2dLayerOptions extends ConvolutionSpec {
  /** Default true; zero at first. */
  readonly bias?: boolean;
  readonly residual?: Tensor | undefined;
  readonly relu?: boolean;
}

/**
 * A convolution layer: act(x ∗ weight + bias + residual), parameters `name.weight` and `name.bias`.
 * x [N, C, H, W] → [N, channels, …].
 */
export function conv2d(scope: Scope, name: string, x: Tensor, options: Conv2dLayerOptions): Tensor {
  const inner = scope.at(name);
  const { bias = true, residual, relu = false, channels } = options;
  return scope.builder.labelled(inner.path, () =>
    convolve(x, convolutionWeight(inner, x, options), {
      ...geometryOf(options),
      bias: bias ? inner.parameter("bias", [channels], zeros) : undefined,
      residual,
      relu,
    }),
  );
}

/** Options of {@link dense}. */
export interface DenseOptions {
  /** Number of outputs. */
  readonly units: number;
  readonly relu?: boolean;
}

/**
 * A dense layer, act(x·weightᵀ + bias): x [N, I], weight [units, I] → [N, units], with PyTorch's
 * uniform initial values. Computed as a 1×1 convolution of 1×1 maps, which it equals.
 */
export function dense(scope: Scope, name: string, x: Tensor, options: DenseOptions): Tensor {
  const { units, relu = false } = options;
  const [n = 1, inputs = 1] = x.shape;
  const inner = scope.at(name);
  return scope.builder.labelled(inner.path, () => {
    const weight = inner.parameter("weight", [units, inputs], uniformFanIn(inputs));
    const bias = inner.parameter("bias", [units], uniformFanIn(inputs));
    const pixel = reshape(x, [n, inputs, 1, 1]);
    const y = convolve(pixel, reshape(weight, [units, inputs, 1, 1]), { bias, relu });
    return reshape(y, [n, units]);
  });
}

/** Mean over the batch of −log softmax(logits)[label]: [N, K], int32 [N] → scalar. */
export const crossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  mean(softmaxCrossEntropy(logits, labels));
