// The cases by primitive. A new primitive does not compile until it has some.

import type { Primitive } from "@fewnorm/tensor";
import type { Case } from "../recording.ts";
import * as convolution from "./convolution.ts";
import * as elementwise from "./elementwise.ts";
import * as normalization from "./normalization.ts";
import * as pooling from "./pooling.ts";
import * as regions from "./regions.ts";
import * as shapes from "./shapes.ts";

export const primitiveCases: { readonly [P in Primitive]: readonly Case[] } = {
  input: elementwise.inputCases,
  state: elementwise.stateCases,
  constant: elementwise.constantCases,
  add: elementwise.addCases,
  subtract: elementwise.subtractCases,
  multiply: elementwise.multiplyCases,
  divide: elementwise.divideCases,
  sqrt: elementwise.sqrtCases,
  relu: elementwise.reluCases,
  reluGrad: elementwise.reluGradCases,
  reshape: shapes.reshapeCases,
  broadcast: shapes.broadcastCases,
  sum: shapes.sumCases,
  slice: shapes.sliceCases,
  pad: shapes.padCases,
  matmul: shapes.matmulCases,
  conv2d: convolution.conv2dCases,
  conv2dInputGrad: convolution.conv2dInputGradCases,
  conv2dWeightGrad: convolution.conv2dWeightGradCases,
  maxPool: pooling.maxPoolCases,
  maxPoolGrad: pooling.maxPoolGradCases,
  moments: normalization.momentsCases,
  normalize: normalization.normalizeCases,
  normalizeGradSums: normalization.normalizeGradSumsCases,
  normalizeInputGrad: normalization.normalizeInputGradCases,
  rows: regions.rowsCases,
  joinRows: regions.joinRowsCases,
  addRows: regions.addRowsCases,
  crop: regions.cropCases,
  addCrop: regions.addCropCases,
  softmaxCrossEntropy: normalization.softmaxCrossEntropyCases,
  softmaxCrossEntropyGrad: normalization.softmaxCrossEntropyGradCases,
};
