// Chains: values that are needed again after a kernel that could have overwritten them.

import {
  add,
  addCrop,
  addRows,
  conv2d,
  crop,
  matmul,
  moments,
  multiply,
  normalize,
  normalizeGradSums,
  relu,
  reluGrad,
  reshape,
  row,
  rows,
  scaleChannels,
  softmaxCrossEntropy,
  sqrt,
  subtract,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import type { Case } from "../recording.ts";
import { range, sampled, window } from "./ranges.ts";

/** Values that are needed again. */
export const reuseCases: readonly Case[] = [
  {
    name: "a gradient with the mask of a ReLU that comes after it",
    build(r) {
      const attributes = {
        stride: [1, 1],
        padding: [1, 1],
        groups: 1,
        shape: [2, 4, 6, 6],
      } as const;
      const [g, w] = [r.values([2, 8, 6, 6]), r.values([8, 4, 3, 3])];
      const gradient = r.builder.append("conv2dInputGrad", [g, w], attributes);
      const [mean, scale, shift] = [r.values([4]), r.values([4]), r.values([4])];
      const results = normalize(r.values([2, 4, 6, 6]), mean, scale, shift, { relu: true });
      return reluGrad(gradient, results);
    },
  },
  {
    name: "int32 constants given as one number",
    build(r) {
      const x = r.values([4, 3]);
      const { builder } = r;
      const maps = r.values([3, 4, 6, 7]);
      const labels = builder.constant(1, [4], "int32");
      return {
        loss: softmaxCrossEntropy(x, labels),
        same: softmaxCrossEntropy(x, reshape(builder.constant(2, [2, 2], "int32"), [4])),
        part: crop(maps, builder.constant(1, [6], "int32"), { ...window, index: 2 }),
      };
    },
  },
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
    name: "a tensor and its own rows, turned round by one",
    build(r) {
      const [start, back] = [r.integers([1]), r.integers([5])];
      const ring = range(6);
      const [a, b] = [r.values([6, 3]), r.values([6, 2, 3, 3])];
      const vectors = [r.values([2]), r.values([2]), r.values([2])] as const;
      const fresh = (x: Tensor) => multiply(x, 2);
      const [h, i, j, k, l, m] = [fresh(a), fresh(a), fresh(a), fresh(b), fresh(b), fresh(a)];
      return {
        sum: add(h, rows(h, start, { range: ring })),
        difference: subtract(rows(i, back, { range: ring }), i),
        gradient: reluGrad(j, rows(j, start, { range: ring })),
        normalized: normalize(k, ...vectors, { residual: rows(k, start, { range: ring }) }),
        residual: normalize(rows(l, back, { range: ring }), ...vectors, { residual: l }),
        reshaped: add(m, reshape(reshape(rows(m, start, { range: ring }), [6, 3, 1]), [6, 3])),
      };
    },
  },
  {
    name: "rows of a tensor added to overlapping rows of itself",
    build(r) {
      const starts = r.integers([0, 1, 5]);
      const [x, y] = [multiply(r.values([6, 3]), 2), multiply(r.values([6, 3]), 3)];
      const [z, v] = [multiply(r.values([6, 3]), 4), multiply(r.values([2, 1, 3, 3]), 5)];
      const part = range(4);
      return {
        forward: addRows(x, rows(x, starts, { range: part }), starts, { range: part, index: 1 }),
        back: addRows(y, rows(y, starts, { range: part, index: 1 }), starts, { range: part }),
        whole: addRows(z, z, starts, { range: range(6), index: 2 }),
        windows: addCrop(v, v, starts, {
          ...{ index: 0, height: 3, width: 3 },
          ...{ stride: [1, 1], offset: [1, 0] },
        }),
      };
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
    name: "a value needed again after each kernel that could overwrite it",
    build(r) {
      const shape = [2, 3, 4, 4];
      const x = multiply(r.values(shape), 2);
      const vectors = [r.values([3]), r.values([3]), r.values([3]), r.values([3])] as const;
      const [mean, scale, shift, other] = vectors;
      const kernels = {
        sum: add(x, r.values(shape)),
        root: sqrt(add(multiply(x, x), 1)),
        relu: relu(x),
        reluGrad: reluGrad(x, r.values(shape)),
        normalized: normalize(x, mean, scale, shift, { relu: true }),
        residual: normalize(r.values(shape), mean, scale, shift, { residual: x }),
        gradient: r.builder.append("normalizeInputGrad", [x, x, scale, mean, shift, other], {}),
        convolved: conv2d(r.values(shape), r.values([3, 3, 3, 3]), { padding: 1, residual: x }),
      };
      return { ...kernels, x };
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
  {
    name: "states whose memory is of use before their new values are written",
    build(r) {
      const shape = [3, 8, 14, 13];
      const names = ["a", "b", "c", "d", "e"];
      const [a, b, c, d, e] = names.map((name) => r.state(name, shape)) as [
        ...[Tensor, Tensor, Tensor, Tensor, Tensor],
      ];
      const [x, mean, scale] = [r.values(shape), r.values([8]), r.values([8])];
      const vectors = [scale, mean, r.values([8]), r.values([8])];
      const { builder } = r;
      builder.update("a", builder.append("normalizeInputGrad", [a, x, ...vectors], {}));
      const early = normalize(b, mean, scale, mean);
      builder.update("b", normalize(x, scale, mean, scale));
      builder.update("c", early);
      const start = r.integers([2]);
      const scaled = scaleChannels(d, scale);
      const sums = normalizeGradSums(d, x, mean);
      const some = rows(x, start, { range: range(2, 0, 3) });
      const added = normalize(some, mean, row(sums, 0), row(sums, 1));
      builder.update("d", addRows(scaled, added, start, { range: range(2, 0, 3), index: 0 }));
      const kept = normalize(e, mean, scale, mean);
      builder.update("e", add(x, 1));
      return { early, sums, last: multiply(c, 2), late: conv2d(kept, r.values([1, 8, 1, 1])) };
    },
  },
  {
    name: "weights and their scales that change before a convolution takes the products",
    build(r) {
      const { builder } = r;
      const [w, v] = [r.state("w", [8, 8, 3, 3]), r.state("v", [8])];
      const start = r.integers([509]);
      const table = multiply(r.values([512, 8]), 2);
      const turned = rows(table, start, { range: range(1, 0, 512) });
      const products = [v, turned].map((scale) => multiply(w, reshape(scale, [8, 1, 1, 1])));
      const attributes = {
        stride: [1, 1],
        padding: [1, 1],
        groups: 1,
        shape: [2, 8, 5, 5],
      } as const;
      const [x, changed] = [r.values([2, 8, 5, 5]), relu(table)];
      builder.update("w", multiply(w, 0.5));
      builder.update("v", add(v, 1));
      const gradients = products.map((product) =>
        builder.append("conv2dInputGrad", [x, product], attributes),
      );
      const convolved = products.map((product) => conv2d(x, product, { padding: 1 }));
      const results = [...gradients, ...convolved, changed];
      return Object.fromEntries(results.map((result, i) => [`${i}`, result]));
    },
  },
  {
    name: "a gradient that is scaled and summed, and needed before, between or afterwards",
    build(r) {
      const shape = [3, 8, 14, 13];
      const [x, mean, scale] = [r.values(shape), r.values([8]), r.values([8])];
      const scaled = (g: Tensor) => scaleChannels(g, scale);
      const sums = (g: Tensor) => normalizeGradSums(g, x, mean);
      const own = (g: Tensor) => normalizeGradSums(g, g, mean);
      const other = (g: Tensor) => conv2d(g, r.values([1, 8, 1, 1]));
      const orders = [
        [scaled, sums],
        [sums, scaled],
        [scaled, own],
        [scaled, other, sums],
        [sums, other, scaled],
        [other, scaled, sums],
        [scaled, sums, other],
      ];
      const results = orders.flatMap((order) => {
        const g = multiply(r.values(shape), 2);
        return order.map((of) => of(g));
      });
      return Object.fromEntries(results.map((result, i) => [`${i}`, result]));
    },
  },
  {
    name: "states updated from their own rows",
    build(r) {
      const start = r.integers([1, 4]);
      const names = ["sum", "difference", "product", "reshaped", "twice"];
      const [a, b, c, d, e] = names.map((name) => r.state(name, [6, 4])) as Tensor[] as [
        ...[Tensor, Tensor, Tensor, Tensor, Tensor],
      ];
      const ring = range(6);
      const turned = (x: Tensor, index = 0) => rows(x, start, { range: ring, index });
      r.builder.update("sum", add(a, turned(a)));
      r.builder.update("difference", subtract(turned(b, 1), b));
      r.builder.update("product", multiply(turned(c), 2));
      r.builder.update("reshaped", add(d, reshape(reshape(turned(d), [6, 2, 2]), [6, 4])));
      r.builder.update("twice", relu(turned(turned(e), 1)));
      return { y: sum(r.values([2])) };
    },
  },
  {
    name: "products that are only added or subtracted",
    build(r) {
      const fresh = (factor: number) => multiply(r.values([70, 60]), factor);
      const [scale, column, line] = [r.values([]), r.values([70, 1]), r.values([60])];
      const start = r.integers([69, 1]);
      const turned = (x: Tensor, index = 0) => rows(x, start, { range: range(70, 0, 70), index });
      const [a, b, c, d, e, f] = [2, 3, 5, 7, 11, 13].map(fresh) as [
        ...[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
      ];
      const [twice, again] = [multiply(a, column), multiply(b, scale)];
      const [v, w] = [r.state("v", [70, 60]), r.state("w", [70, 60])];
      r.builder.update("v", add(multiply(v, scale), a));
      r.builder.update("w", subtract(b, multiply(turned(w), line)));
      return {
        first: add(multiply(b, column), a),
        second: add(a, multiply(line, scale)),
        square: subtract(a, multiply(b, b)),
        left: subtract(multiply(a, scale), b),
        both: add(multiply(a, scale), multiply(b, column)),
        same: add(twice, twice),
        kept: add(again, subtract(a, again)),
        own: subtract(c, multiply(turned(c), scale)),
        ownTurned: add(turned(d, 1), multiply(d, column)),
        whole: subtract(turned(e), multiply(turned(e), e)),
        masked: reluGrad(add(f, multiply(turned(f, 1), line)), f),
      };
    },
  },
  {
    name: "tensors of different rank, one stored in another order",
    build(r) {
      const [x, y] = [r.values([3, 5, 7]), r.values([1, 3, 5, 7])];
      const [a, b] = [r.values([3, 5, 7]), r.values([1, 3, 5, 7])];
      return { first: add(relu(x), y), second: subtract(b, multiply(a, 2)) };
    },
  },
  {
    name: "weights that are one number",
    build(r) {
      const [x, y] = [r.values([1, 32, 5, 5]), r.values([3, 128])];
      const wide = { stride: [2, 2], padding: [1, 1] } as const;
      const w = r.builder.constant(0.25, [32, 32, 3, 3]);
      return {
        convolved: conv2d(x, w, { padding: 1 }),
        strided: conv2d(x, w, wide),
        gradient: r.builder.append("conv2dInputGrad", [r.values([1, 32, 3, 3]), w], {
          ...{ ...wide, groups: 1, shape: [1, 32, 5, 5] },
        }),
        product: matmul(y, r.builder.constant(0.25, [128, 64])),
        small: matmul(y, r.builder.constant(0.5, [128, 3])),
      };
    },
  },
];
