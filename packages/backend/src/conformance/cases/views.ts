// Chains: views and regions of many kinds, each feeding every kind of kernel.

import {
  add,
  addCrop,
  addRows,
  conv2d,
  crop,
  joinRows,
  matmul,
  moments,
  multiply,
  normalize,
  normalizeGradSums,
  pad,
  relu,
  reluGrad,
  reshape,
  rows,
  slice,
  softmaxCrossEntropy,
  sumChannels,
  type Tensor,
} from "@fewnorm/tensor";
import type { Case, Recorder } from "../recording.ts";
import { others, range, sampled, window } from "./ranges.ts";

/** Views and regions of [6, 4, 5, 5] tensors, each with 3 or more ways of being one. */
const views: readonly { name: string; of: (r: Recorder) => Tensor }[] = [
  {
    name: "rows that wrap",
    of: (r) => rows(r.values([6, 4, 5, 5]), r.integers([5]), { range: range(3) }),
  },
  {
    name: "rows behind virtual ones",
    of: (r) =>
      rows(r.values([8, 4, 5, 5]), r.integers([0, 1]), { range: range(3, 0, 6, 2), index: 1 }),
  },
  {
    name: "rows of rows",
    of(r) {
      const start = r.integers([4, 2]);
      const outer = rows(r.values([6, 4, 5, 5]), start, { range: range(5) });
      return rows(outer, start, { range: range(3, 1, 5), index: 1 });
    },
  },
  {
    name: "join of two parts",
    of(r) {
      const start = r.integers([5]);
      const [a, b] = [r.values([2, 4, 5, 5]), r.values([4, 4, 5, 5])];
      return joinRows([
        { part: a, start, range: sampled },
        { part: b, start, range: others },
      ]);
    },
  },
  {
    name: "join of computed parts",
    of(r) {
      const start = r.integers([3]);
      const x = r.values([6, 4, 5, 5]);
      return joinRows([
        { part: relu(rows(x, start, { range: sampled })), start, range: sampled },
        { part: multiply(rows(x, start, { range: others }), -2), start, range: others },
      ]);
    },
  },
  {
    name: "join of the rows of two tensors",
    of(r) {
      const start = r.integers([4]);
      const [x, y] = [r.values([6, 4, 5, 5]), r.values([6, 4, 5, 5])];
      return joinRows([
        { part: rows(x, start, { range: sampled }), start, range: sampled },
        { part: rows(y, start, { range: others }), start, range: others },
      ]);
    },
  },
  {
    name: "rows across the parts of a join",
    of(r) {
      const start = r.integers([5, 2]);
      const joined = joinRows([
        { part: r.values([2, 4, 5, 5]), start, range: sampled },
        { part: r.values([4, 4, 5, 5]), start, range: others },
      ]);
      return rows(joined, start, { range: range(4, 1), index: 1 });
    },
  },
  {
    name: "join of rows of a join",
    of(r) {
      const start = r.integers([5, 1]);
      const inner = joinRows([
        { part: r.values([2, 4, 5, 5]), start, range: sampled },
        { part: r.values([4, 4, 5, 5]), start, range: others },
      ]);
      const [a, b] = [range(3), range(3, 3)];
      return joinRows([
        { part: rows(inner, start, { range: a, index: 1 }), start, range: b, index: 1 },
        { part: rows(inner, start, { range: b, index: 1 }), start, range: a, index: 1 },
      ]);
    },
  },
  {
    name: "one part joined at two places",
    of(r) {
      const start = r.integers([1]);
      const part = r.values([3, 4, 5, 5]);
      return joinRows([
        { part, start, range: range(3) },
        { part, start, range: range(3, 3) },
      ]);
    },
  },
  { name: "crop", of: (r) => crop(r.values([3, 4, 6, 7]), r.integers([4, 5]), window) },
  {
    name: "crop of rows",
    of(r) {
      const turned = rows(r.values([6, 4, 5, 5]), r.integers([4]), { range: range(3) });
      return crop(turned, r.integers([0, 2]), window);
    },
  },
  { name: "reshape", of: (r) => reshape(r.values([3, 100]), [3, 4, 5, 5]) },
  {
    name: "reshape of rows",
    of: (r) =>
      reshape(rows(r.values([6, 100]), r.integers([4]), { range: range(4) }), [4, 4, 5, 5]),
  },
  {
    name: "reshape of a join to other rows",
    of(r) {
      const start = r.integers([3]);
      const joined = joinRows([
        { part: r.values([2, 100]), start, range: sampled },
        { part: r.values([4, 100]), start, range: others },
      ]);
      return reshape(joined, [2, 4, 15, 5]);
    },
  },
  {
    name: "slice",
    of: (r) => slice(r.values([3, 8, 5, 5]), { start: [0, 2, 0, 0], shape: [3, 4, 5, 5] }),
  },
  {
    name: "pad",
    of: (r) => pad(r.values([3, 2, 5, 5]), { before: [0, 1, 0, 0], shape: [3, 4, 5, 5] }),
  },
  {
    name: "sum of rows added",
    of: (r) =>
      addRows(r.values([6, 4, 5, 5]), r.values([3, 4, 5, 5]), r.integers([4]), { range: range(3) }),
  },
];

/** What consumes them: one of each kind of kernel, x being [n, 4, h, w]. */
const consumers: readonly { name: string; use: (r: Recorder, x: Tensor) => Tensor }[] = [
  { name: "output", use: (_, x) => x },
  { name: "arithmetic", use: (r, x) => add(multiply(x, r.values([4, 1, 1])), x) },
  { name: "relu", use: (_, x) => relu(x) },
  { name: "reluGrad", use: (r, x) => reluGrad(x, r.values(x.shape)) },
  { name: "convolution", use: (r, x) => conv2d(x, r.values([5, 4, 3, 3]), { padding: 1 }) },
  {
    name: "strided convolution with epilogue",
    use(r, x) {
      const y = conv2d(x, r.values([4, 4, 1, 1]), { bias: r.values([4]), residual: x, relu: true });
      return conv2d(y, r.values([3, 4, 3, 3]), { stride: 2, padding: 1 });
    },
  },
  {
    name: "depthwise convolution",
    use: (r, x) => conv2d(x, r.values([4, 1, 3, 3]), { padding: 1, groups: 4 }),
  },
  {
    name: "input gradient",
    use(r, x) {
      const [n = 1, , h = 1, w = 1] = x.shape;
      const attributes = {
        stride: [1, 1],
        padding: [1, 1],
        groups: 1,
        shape: [n, 3, h, w],
      } as const;
      return r.builder.append("conv2dInputGrad", [x, r.values([4, 3, 3, 3])], attributes);
    },
  },
  {
    name: "weight gradient, of x",
    use(r, x) {
      const [n = 1, , h = 1, w = 1] = x.shape;
      const attributes = {
        stride: [1, 1],
        padding: [1, 1],
        groups: 1,
        shape: [3, 4, 3, 3],
      } as const;
      return r.builder.append("conv2dWeightGrad", [x, r.values([n, 3, h, w])], attributes);
    },
  },
  {
    name: "weight gradient, of g",
    use(r, x) {
      const [n = 1, , h = 1, w = 1] = x.shape;
      const attributes = {
        stride: [1, 1],
        padding: [1, 1],
        groups: 1,
        shape: [4, 3, 3, 3],
      } as const;
      return r.builder.append("conv2dWeightGrad", [r.values([n, 3, h, w]), x], attributes);
    },
  },
  { name: "moments", use: (_, x) => moments(x) },
  {
    name: "normalization",
    use: (r, x) =>
      normalize(x, r.values([4]), r.values([4]), r.values([4]), { residual: x, relu: true }),
  },
  { name: "gradient sums", use: (r, x) => normalizeGradSums(x, r.values(x.shape), r.values([4])) },
  {
    name: "gradient sums, of x",
    use: (r, x) => normalizeGradSums(r.values(x.shape), x, r.values([4])),
  },
  {
    name: "normalization's input gradient",
    use(r, x) {
      const vectors = Array.from({ length: 4 }, () => r.values([4]));
      return r.builder.append("normalizeInputGrad", [x, x, ...vectors], {});
    },
  },
  { name: "sum", use: (_, x) => sumChannels(x) },
  {
    name: "slice",
    use: (_, x) => slice(x, { start: [1, 0, 0, 0], shape: [1, ...x.shape.slice(1)] }),
  },
  {
    name: "pad",
    use(_, x) {
      const [n = 1, c = 1, h = 1, w = 1] = x.shape;
      return pad(x, { before: [0, 2, 0, 0], shape: [n, c + 3, h, w] });
    },
  },
  {
    name: "matrix product",
    use(r, x) {
      const [n = 1, ...rest] = x.shape;
      const k = rest.reduce((a, b) => a * b, 1);
      return matmul(reshape(x, [n, k]), r.values([3, k]), { transposeB: true });
    },
  },
  {
    name: "cross-entropy",
    use(r, x) {
      const [n = 1, ...rest] = x.shape;
      const k = rest.reduce((a, b) => a * b, 1);
      return softmaxCrossEntropy(reshape(x, [n, k]), r.labels(n, k));
    },
  },
  { name: "crop", use: (r, x) => crop(x, r.integers([1, -1]), window) },
  {
    name: "addRows, as base",
    use: (r, x) =>
      addRows(x, r.values([1, ...x.shape.slice(1)]), r.integers([1]), {
        range: range(1, 0, x.shape[0] as number),
      }),
  },
  {
    name: "addRows, as part",
    use(r, x) {
      const [n = 1, ...rest] = x.shape;
      return addRows(r.values([n + 1, ...rest]), x, r.integers([n]), { range: range(n, 0, n + 1) });
    },
  },
  {
    name: "addCrop, as part",
    use(r, x) {
      const [n = 1, c = 1, height = 1, width = 1] = x.shape;
      return addCrop(r.values([n, c, 6, 6]), x, r.integers([2, 1]), { ...window, height, width });
    },
  },
];

export const viewCases: readonly Case[] = views.flatMap((view) =>
  consumers.map((consumer): Case => {
    return { name: `${consumer.name} of ${view.name}`, build: (r) => consumer.use(r, view.of(r)) };
  }),
);
