// The contract of a normalization, which models take as an argument.

import type { ConvolutionSpec, Scope, VirtualImages } from "@fewnorm/nn";
import type { Tensor } from "@fewnorm/tensor";

/** What follows the normalization: act(y + residual). */
export interface EpilogueOptions {
  /** Shaped as the result; added before the activation. */
  readonly residual?: Tensor | undefined;
  /** Ends in max(·, 0). Default false. */
  readonly relu?: boolean;
}

/** A convolution in front of a normalization, and what follows that. */
export interface NormalizedConvolution extends ConvolutionSpec, EpilogueOptions {
  /**
   * A bias of the convolution's own, `bias`, zero at first: needless before a normalization, but some
   * published networks have it. Default false; without a normalization there always is one.
   */
  readonly bias?: boolean;
}

/** The names of the layer before a normalization and of the normalization, as in PyTorch: `conv1`, `bn1`. */
export interface LayerNames {
  readonly linear: string;
  readonly norm: string;
}

/** A way to normalize. Models build every normalized layer through it and know nothing else of it. */
export interface Norm {
  /** As users write it: `bn`, `bs:4`, `none`. */
  readonly name: string;
  /** Images that it needs in front of every training batch. */
  readonly virtualImages: VirtualImages | undefined;
  /**
   * The norm with the same states that recomputes this one's running statistics: it takes them from the
   * whole batch, and keeps a step's own values. Absent where there are none to recompute.
   */
  calibration?(): Norm;
  /** act(norm(x) + residual), a layer of its own; x is [N, C, H, W] or [N, C]. */
  layer(scope: Scope, name: string, x: Tensor, options?: EpilogueOptions): Tensor;
  /** act(norm(x ∗ weight + bias) + residual): x [N, C, H, W] → [N, channels, …]. */
  conv2d(scope: Scope, names: LayerNames, x: Tensor, options: NormalizedConvolution): Tensor;
  /** act(norm(x·weightᵀ) + residual): x [N, I] → [N, units]. */
  dense(
    scope: Scope,
    names: LayerNames,
    x: Tensor,
    options: { readonly units: number } & EpilogueOptions,
  ): Tensor;
}
