// The primitives: what a graph can contain, with the attributes of each.
// Adding one breaks every table typed over `Primitive` (shapes, gradients, costs, backends) until it is complete.

import type { DType, Shape } from "./shape.ts";

/**
 * A cyclic range of rows (images) of a tensor. Its row i is row
 * `base + ((start + offset + i) mod modulo)` of the tensor, for 0 ≤ i < `count`;
 * `start` is read at each step, everything here is static.
 */
export interface RowRange {
  readonly base: number;
  readonly modulo: number;
  readonly offset: number;
  readonly count: number;
}

/** Strides and zero padding in pixels ([vertical, horizontal]); the channels are divided into `groups`. */
export interface ConvolutionAttributes {
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly groups: number;
}

/** Windows of kernel[0] × kernel[1] pixels, `stride` apart; `padding` pixels on each side never are the largest. */
export interface PoolingAttributes {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

/**
 * A window of every feature map: height × width pixels, whose top left is
 * `(origin[index]·stride + offset[0], origin[index + 1]·stride + offset[1])`. Outside the map it is zero.
 */
export interface WindowAttributes {
  readonly index: number;
  readonly height: number;
  readonly width: number;
  readonly stride: readonly [number, number];
  readonly offset: readonly [number, number];
}

type None = Readonly<Record<never, never>>;

/** Each primitive's attributes. Shapes: x [N, C, H, W] or [N, C]; w [O, C/groups, kh, kw]; vectors [C]. */
export interface Attributes {
  /** A value fed at each run. */
  input: { readonly name: string; readonly shape: Shape; readonly dtype: DType };
  /** A value that lives on the backend: parameter, running statistic, optimizer slot. */
  state: { readonly name: string; readonly shape: Shape };
  /** One number everywhere, or one for each element (row-major). */
  constant: {
    readonly values: number | readonly number[];
    readonly shape: Shape;
    readonly dtype: DType;
  };

  // Element-wise. The binary ones broadcast as in NumPy.
  add: None;
  subtract: None;
  multiply: None;
  divide: None;
  sqrt: None;
  relu: None;
  /** (g, y) → g where y > 0, else 0. */
  reluGrad: None;

  // Shapes and reductions.
  reshape: { readonly shape: Shape };
  broadcast: { readonly shape: Shape };
  /** Sum over `axes`, which disappear. */
  sum: { readonly axes: readonly number[] };
  /** y[i] = x[start + i·stride], in every axis. */
  slice: { readonly start: Shape; readonly stride: Shape; readonly shape: Shape };
  /** y[before + i·interior] = x[i] in every axis, zero elsewhere: the transpose of `slice`. */
  pad: { readonly before: Shape; readonly interior: Shape; readonly shape: Shape };
  /** (a, b) → op(a)·op(b) of matrices, op being transposition or nothing. */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };

  // Convolution (cross-correlation, as in every framework).
  /** (x, w, bias?, residual?) → act(x ∗ w + bias + residual); bias [O], residual shaped as the result. */
  conv2d: ConvolutionAttributes & {
    readonly bias: boolean;
    readonly residual: boolean;
    readonly relu: boolean;
  };
  /** (g, w) → ∂/∂x; `shape` is x's. */
  conv2dInputGrad: ConvolutionAttributes & { readonly shape: Shape };
  /** (x, g) → ∂/∂w; `shape` is w's. */
  conv2dWeightGrad: ConvolutionAttributes & { readonly shape: Shape };

  // Pooling.
  /** x → the largest value of each window of every feature map. */
  maxPool: PoolingAttributes;
  /** (g, x) → ∂/∂x: each window's g at its largest value; of equal ones, the first in row-major order. */
  maxPoolGrad: PoolingAttributes;

  // Normalization, channel by channel.
  /** x → [2, C]: mean and biased variance, by a method that survives |mean| ≫ deviation. */
  moments: None;
  /** (x, mean, scale, shift, residual?) → act((x − mean)·scale + shift + residual). */
  normalize: { readonly residual: boolean; readonly relu: boolean };
  /** (g, x, mean) → [2, C]: Σ g and Σ g·(x − mean). */
  normalizeGradSums: None;
  /** (g, x, gScale, mean, xScale, shift) → g·gScale + (x − mean)·xScale + shift. */
  normalizeInputGrad: None;

  // Regions with a dynamic origin.
  /** (x, start) → the range's rows of x; start is read at `index` of an int32 vector. */
  rows: { readonly index: number; readonly range: RowRange };
  /** (parts…, starts…) → one tensor whose rows are the parts'; the ranges cover every row once. */
  joinRows: { readonly indices: readonly number[]; readonly ranges: readonly RowRange[] };
  /** (base, part, start) → base with part added at the range's rows. */
  addRows: { readonly index: number; readonly range: RowRange };
  /** (x, origin) → the window of every feature map. */
  crop: WindowAttributes;
  /** (base, part, origin) → base with part added at the window; what falls outside is dropped. */
  addCrop: WindowAttributes;

  // Loss.
  /** (logits [N, K], labels int32 [N]) → [N]: −log softmax(logits)[label]. */
  softmaxCrossEntropy: None;
  /** (logits, labels, g [N]) → [N, K]: g·(softmax(logits) − onehot(label)). */
  softmaxCrossEntropyGrad: None;
}

/** The name of a primitive: `add`, `conv2d`, … */
export type Primitive = keyof Attributes;

/** One operation of a graph with its static result. `inputs` are node ids; `label` names the layer it belongs to. */
export interface NodeOf<P extends Primitive> {
  readonly id: number;
  readonly op: P;
  readonly inputs: readonly number[];
  readonly attributes: Attributes[P];
  readonly shape: Shape;
  readonly dtype: DType;
  readonly label: string;
}

/** A node of any primitive; `node.op` tells which, and TypeScript narrows `node.attributes` by it. */
export type Node = { [P in Primitive]: NodeOf<P> }[Primitive];
