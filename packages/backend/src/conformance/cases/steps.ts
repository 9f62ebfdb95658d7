// Chains: a training step with sampled normalization folded in.

import {
  add,
  conv2d,
  divide,
  grad,
  joinRows,
  matmul,
  mean,
  moments,
  multiply,
  normalize,
  type RowRange,
  reshape,
  row,
  rows,
  softmaxCrossEntropy,
  sqrt,
  subtract,
  type Tensor,
} from "@fewnorm/tensor";
import type { Case } from "../recording.ts";
import { others, sampled } from "./ranges.ts";

/** One layer with normalization folded into it: the sampled rows first, then the others. */
function foldedLayer(x: Tensor, w: Tensor, gamma: Tensor, beta: Tensor, start: Tensor): Tensor {
  const part = (range: RowRange) => rows(x, start, { range });
  const [o = 1] = w.shape;
  const z = conv2d(part(sampled), w, { padding: 1 });
  const statistics = moments(z);
  const scale = divide(gamma, sqrt(add(row(statistics, 1), 2 ** -10)));
  const shift = subtract(beta, multiply(scale, row(statistics, 0)));
  const folded = multiply(w, reshape(scale, [o, 1, 1, 1]));
  const zero = x.builder.constant(0, [o]);
  return joinRows([
    { part: normalize(z, zero, scale, shift, { relu: true }), start, range: sampled },
    {
      part: conv2d(part(others), folded, { padding: 1, bias: shift, relu: true }),
      start,
      range: others,
    },
  ]);
}

/** A small network's training step. Its ReLUs could only differ where a value is within rounding of 0. */
export const stepCases: readonly Case[] = [0, 2, 5].map((start): Case => {
  return {
    name: `training step with folded sampled normalization, first row ${start}`,
    build(r) {
      const shapes = { w1: [4, 3, 3, 3], w2: [5, 4, 3, 3], fc: [7, 5] };
      const w1 = r.state("w1", shapes.w1);
      const w2 = r.state("w2", shapes.w2);
      const fc = r.state("fc", shapes.fc);
      const [gamma, beta] = [r.state("gamma", [4]), r.state("beta", [4])];
      const origin = r.integers([start]);
      const a = foldedLayer(r.values([6, 3, 5, 5]), w1, gamma, beta, origin);
      const b = foldedLayer(a, w2, r.positive([5]), r.values([5]), origin);
      const logits = matmul(mean(b, [2, 3]), fc, { transposeB: true });
      const loss = mean(softmaxCrossEntropy(logits, r.labels(6, 7)));
      const parameters = { w1, w2, fc, gamma, beta };
      const gradients = grad(loss, Object.values(parameters));
      for (const [i, [name, value]] of Object.entries(parameters).entries()) {
        r.builder.update(name, subtract(value, multiply(gradients[i] as Tensor, 0.125)));
      }
      return { loss, logits };
    },
  };
});
