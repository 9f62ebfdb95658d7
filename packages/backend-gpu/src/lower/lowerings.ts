// The lowerings by primitive. A new primitive does not compile until its own stands here.

import type { Primitive } from "@fewnorm/tensor";
import * as convolution from "./convolution.ts";
import * as elementwise from "./elementwise.ts";
import * as leaves from "./leaves.ts";
import * as loss from "./loss.ts";
import type { Lowering } from "./lowering.ts";
import * as normalization from "./normalization.ts";
import * as pooling from "./pooling.ts";
import * as regions from "./regions.ts";
import * as shapes from "./shapes.ts";
import { matmul, sum } from "./sum.ts";
import { conv2dWeightGrad } from "./weight-gradient.ts";

export const lowerings: { readonly [P in Primitive]: Lowering<P> } = {
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
  broadcast: elementwise.broadcast,
  sum,
  slice: shapes.slice,
  pad: shapes.pad,
  matmul,
  conv2d: convolution.conv2d,
  conv2dInputGrad: convolution.conv2dInputGrad,
  conv2dWeightGrad,
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
