// Cases of several primitives: views that feed every kind of kernel, values that are needed again after
// a kernel that could have overwritten them, and a training step with sampled normalization folded in.

import {
  add,
  addCrop,
  addRows,
  conv2d,
  crop,
  divide,
  grad,
  joinRows,
  matmul,
  mean,
  moments,
  multiply,
  normalize,
  normalizeGradSums,
  pad,
  type RowRange,
  relu,
  reluGrad,
  reshape,
  row,
  rows,
  slice,
  softmaxCrossEntropy,
  sqrt,
  subtract,
  sum,
  sumChannels,
  type Tensor,
  type WindowAttributes,
} from "@fewnorm/tensor";
import type { Case, Recorder } from "../recording.ts";

const range = (count: number, offset = 0, modulo = 6, base = 0): RowRange => {
  return { base, modulo, offset, count };
};

const sampled = range(2);
const others = range(4, 2);

const window: WindowAttributes = {
  index: 0,
  height: 4,
  width: 3,
  stride: [1, 1],
  offset: [-1, -1],
};

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

const viewCases: readonly Case[] = views.flatMap((view) =>
  consumers.map((consumer): Case => {
    return { name: `${consumer.name} of ${view.name}`, build: (r) => consumer.use(r, view.of(r)) };
  }),
);

/** Values that are needed again. */
const reuseCases: readonly Case[] = [
  {
    name: "rows added into something that is still needed",
    build(r) {
      const x = multiply(r.values([6, 3]), 2);
      const part = multiply(r.values([2, 3]), 3);
      const y = addRows(x, part, r.integers([5]), { range: sampled });
      return { y, difference: subtract(y, x), part };
    },
  },
  {
    name: "rows of a tensor added to itself",
    build(r) {
      const start = r.integers([5, 3]);
      const x = multiply(r.values([6, 3]), 2);
      return addRows(x, rows(x, start, { range: sampled }), start, { range: sampled, index: 1 });
    },
  },
  {
    name: "a window of a tensor added to itself",
    build(r) {
      const origin = r.integers([1, 2, 2, 0]);
      const x = multiply(r.values([2, 3, 6, 6]), 2);
      return addCrop(x, crop(x, origin, window), origin, { ...window, index: 2 });
    },
  },
  {
    name: "addRows to an input and to a state",
    build(r) {
      const [x, w, part] = [r.values([6, 3]), r.state("w", [6, 3]), r.values([2, 3])];
      const start = r.integers([5]);
      return {
        x: addRows(x, part, start, { range: sampled }),
        w: addRows(w, part, start, { range: sampled }),
        both: add(x, w),
      };
    },
  },
  {
    name: "every intermediate is an output",
    build(r) {
      const a = relu(r.values([2, 3, 4, 4]));
      const b = add(a, 1);
      const c = conv2d(b, r.values([3, 3, 3, 3]), { padding: 1, residual: a });
      const d = multiply(c, a);
      return { a, b, c, d, again: d };
    },
  },
  {
    name: "outputs that are views of each other",
    build(r) {
      const start = r.integers([4]);
      const x = multiply(r.values([6, 4]), 2);
      const part = rows(x, start, { range: range(3) });
      return { part, x, flat: reshape(part, [12]), vector: row(x, 1) };
    },
  },
  {
    name: "a long chain over tensors of changing size",
    build(r) {
      let x = r.values([4, 3, 9, 9]);
      const first = x;
      for (const [c, stride] of [
        [8, 1],
        [5, 2],
        [16, 1],
        [3, 2],
        [4, 1],
      ] as const) {
        const [, from = 1] = x.shape;
        const w = r.values([c, from, 3, 3], { deviation: 0.2 });
        const y = conv2d(x, w, { padding: 1, stride });
        const m = moments(y);
        x = relu(subtract(y, reshape(row(m, 0), [c, 1, 1])));
      }
      return { x, total: add(sum(x), sum(first)) };
    },
  },
  {
    name: "a wide graph: many values alive at once",
    build(r) {
      const x = r.values([3, 5, 4, 4]);
      const parts = Array.from({ length: 9 }, (_, i) => multiply(x, i - 4.5));
      const forward = parts.reduce((total, part) => add(total, relu(part)));
      return parts.toReversed().reduce((total, part) => subtract(total, relu(part)), forward);
    },
  },
  {
    name: "states updated by views of states and of inputs",
    build(r) {
      const start = r.integers([4]);
      const [a, b, c] = [r.state("a", [6, 4]), r.state("b", [3, 4]), r.state("c", [2, 12])];
      const x = r.values([24]);
      r.builder.update("a", reshape(c, [6, 4]));
      r.builder.update("b", rows(a, start, { range: range(3) }));
      r.builder.update("c", reshape(x, [2, 12]));
      return { b };
    },
  },
  {
    name: "momentum: a state's new value is used for another's",
    build(r) {
      const [w, v, g] = [r.state("w", [5, 3]), r.state("v", [5, 3]), r.values([5, 3])];
      const next = add(multiply(v, 0.875), g);
      r.builder.update("v", next);
      r.builder.update("w", subtract(w, multiply(next, r.values([]))));
      return { norm: sum(multiply(g, g)) };
    },
  },
];

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
const stepCases: readonly Case[] = [0, 2, 5].map((start): Case => {
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

export const chainCases: readonly Case[] = [...viewCases, ...reuseCases, ...stepCases];
