// The kernels by primitive. A new primitive does not compile until its kernel stands here.

import type { Primitive } from "@fewnorm/tensor";
import type { Kernel } from "./kernel.ts";
import * as convolution from "./kernels/convolution.ts";
import * as elementwise from "./kernels/elementwise.ts";
import * as leaves from "./kernels/leaves.ts";
import * as loss from "./kernels/loss.ts";
import * as normalization from "./kernels/normalization.ts";
import * as pooling from "./kernels/pooling.ts";
import * as regions from "./kernels/regions.ts";
import * as shapes from "./kernels/shapes.ts";

export const kernels: { readonly [P in Primitive]: Kernel<P> } = {
  input: leaves.input,
  state: leaves.state,
  constant: leaves.constant,
  add: elementwise.add,
  subtract: elementwise.subtract,
  multiply: elementwise.multiply,
  divide: elementwise.divide,
  sqrt: elementwise.sqrt,
  relu: elementwise.relu,
  reluGrad: elementwise.reluGrad,
  reshape: shapes.reshape,
  broadcast: shapes.broadcast,
  sum: shapes.sum,
  slice: shapes.slice,
  pad: shapes.pad,
  matmul: shapes.matmul,
  conv2d: convolution.conv2d,
  conv2dInputGrad: convolution.conv2dInputGrad,
  conv2dWeightGrad: convolution.conv2dWeightGrad,
  maxPool: pooling.maxPool,
  maxPoolGrad: pooling.maxPoolGrad,
  moments: normalization.moments,
  normalize: normalization.normalize,
  normalizeGradSums: normalization.normalizeGradSums,
  normalizeInputGrad: normalization.normalizeInputGrad,
  rows: regions.rows,
  joinRows: regions.joinRows,
  addRows: regions.addRows,
  crop: regions.crop,
  addCrop: regions.addCrop,
  softmaxCrossEntropy: loss.softmaxCrossEntropy,
  softmaxCrossEntropyGrad: loss.softmaxCrossEntropyGrad,
};
