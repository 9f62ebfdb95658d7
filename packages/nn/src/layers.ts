// Layers without state beyond their parameters: convolution and dense; and the loss.

import {
  type Conv2dOptions,
  checkOptions,
  checkShape,
  checkTensor,
  conv2d as convolve,
  convolvedShape,
  mean,
  pair,
  reshape,
  type Shape,
  sameShape,
  showShape,
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
  /** Pixels from one window to the next, down and across; default 1. */
  readonly stride?: number | readonly [number, number];
  /** Zero pixels on each side; default 0. */
  readonly padding?: number | readonly [number, number];
  /** Groups of channels that are convolved apart, as many as input channels in a depthwise convolution; default 1. */
  readonly groups?: number;
  /** Default He et al. (2015), normal, fan-out. */
  readonly initialize?: Initializer;
}

/** What is added to a layer's result. */
interface WithResidual {
  /** Shaped as the result; added before the activation. */
  readonly residual?: Tensor | undefined;
}

/**
 * The weight `weight` [channels, C/groups, kh, kw] of a convolution of x, declared in `scope`.
 * @throws RangeError, naming the layer, for sizes that do not fit, the residual's among them; TypeError for a size that
 *   is neither a number nor two.
 */
export function convolutionWeight(scope: Scope, x: Tensor, spec: Conv2dLayerOptions): Tensor {
  const where = `conv2d: layer "${scope.path}"`;
  checkOptions(where, spec, conv2dOptions);
  checkTensor(where, x);
  const { channels, kernel, groups = 1, initialize = heNormal } = spec;
  const [kh, kw] = pair(kernel, where, "kernel");
  const shape = [channels, (x.shape[1] ?? 1) / groups, kh, kw];
  checkShape(`${where}, weight [channels, inputs/groups, height, width]`, shape);
  const result = convolvedShape(x.shape, shape, geometryOf(spec), where);
  checkResidual(where, spec, result);
  return scope.parameter("weight", shape, initialize);
}

/**
 * The weight `weight` [units, I] of a dense layer of x [N, I], declared in `scope`.
 * @throws RangeError, naming the layer, for sizes that do not fit, the residual's among them.
 */
export function denseWeight(scope: Scope, x: Tensor, options: DenseOptions & WithResidual): Tensor {
  const where = `dense: layer "${scope.path}"`;
  checkOptions(where, options, { units: "number", relu: "boolean", residual: "any" });
  checkTensor(where, x);
  const { units } = options;
  const [n, inputs] = x.shape;
  if (x.shape.length !== 2 || n === undefined || inputs === undefined) {
    throw new RangeError(
      `${where}: the input is ${showShape(x.shape)}; it must be [N, inputs]: pool maps with globalAveragePool, or reshape them`,
    );
  }
  checkShape(`${where}, weight [units, inputs]`, [units, inputs]);
  checkResidual(where, options, [n, units]);
  return scope.parameter("weight", [units, inputs], uniformFanIn(inputs));
}

function checkResidual(where: string, { residual }: WithResidual, result: Shape): void {
  if (residual === undefined) return;
  checkTensor(`${where}, residual`, residual);
  if (sameShape(residual.shape, result)) return;
  throw new RangeError(
    `${where}: the residual is ${showShape(residual.shape)}; it must be ${showShape(result)}, as the result`,
  );
}

/** The geometry of `spec` as options of the primitive. */
export function geometryOf(
  spec: ConvolutionSpec,
): Pick<Conv2dOptions, "stride" | "padding" | "groups"> {
  const { stride = 1, padding = 0, groups = 1 } = spec;
  return { stride, padding, groups };
}

/** Options of {@link conv2d}. */
export interface Conv2dLayerOptions extends ConvolutionSpec, WithResidual {
  /** Default true; zero at first. */
  readonly bias?: boolean;
  /** Ends in max(·, 0); default false. */
  readonly relu?: boolean;
}

const conv2dOptions = {
  channels: "number",
  kernel: "any",
  stride: "any",
  padding: "any",
  groups: "number",
  initialize: "function",
  residual: "any",
  bias: "boolean",
  relu: "boolean",
} as const;

/**
 * A convolution layer: act(x ∗ weight + bias + residual), parameters `name.weight` and `name.bias`.
 * x [N, C, H, W] → [N, channels, …].
 */
export function conv2d(scope: Scope, name: string, x: Tensor, options: Conv2dLayerOptions): Tensor {
  const inner = scope.at(name);
  return scope.builder.labelled(inner.path, () => {
    const weight = convolutionWeight(inner, x, options);
    const { bias = true, residual, relu = false, channels } = options;
    return convolve(x, weight, {
      ...geometryOf(options),
      bias: bias ? inner.parameter("bias", [channels], zeros) : undefined,
      residual,
      relu,
    });
  });
}

/** Options of {@link dense}. */
export interface DenseOptions {
  /** Number of outputs. */
  readonly units: number;
  /** Ends in max(·, 0); default false. */
  readonly relu?: boolean;
}

/**
 * A dense layer, act(x·weightᵀ + bias): x [N, I], weight [units, I] → [N, units], with PyTorch's
 * uniform initial values. Computed as a 1×1 convolution of 1×1 maps, which it equals.
 * @throws RangeError, naming the layer, for sizes that do not fit.
 */
export function dense(scope: Scope, name: string, x: Tensor, options: DenseOptions): Tensor {
  const inner = scope.at(name);
  checkOptions(`dense: layer "${inner.path}"`, options, { units: "number", relu: "boolean" });
  const { units, relu = false } = options;
  return scope.builder.labelled(inner.path, () => {
    const weight = denseWeight(inner, x, options);
    const [n = 1, inputs = 1] = x.shape;
    const bias = inner.parameter("bias", [units], uniformFanIn(inputs));
    const pixel = reshape(x, [n, inputs, 1, 1]);
    const y = convolve(pixel, reshape(weight, [units, inputs, 1, 1]), { bias, relu });
    return reshape(y, [n, units]);
  });
}

/** Mean over the batch of −log softmax(logits)[label]: [N, K], int32 [N] → scalar. */
export const crossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  mean(softmaxCrossEntropy(logits, labels));
