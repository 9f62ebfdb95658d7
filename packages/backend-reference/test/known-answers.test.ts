// Every primitive against results worked out by hand: the oracle itself has no other.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import { type Builder, type Primitive, type Tensor, trace } from "@fewnorm/tensor";
import test from "tape";

interface Answer {
  build(builder: Builder): Tensor;
  readonly expected: readonly number[];
}

const numbers = (
  builder: Builder,
  values: readonly number[],
  shape: readonly number[] = [values.length],
) => builder.constant(values, shape);
const whole = (builder: Builder, ...values: number[]) =>
  builder.constant(values, [values.length], "int32");

const geometry = { stride: [1, 1], padding: [0, 0], groups: 1 } as const;
const plain = { bias: false, residual: false, relu: false };

const answers: { readonly [P in Primitive]: readonly Answer[] } = {
  // These two need values from outside: see reference-backend.test.ts.
  input: [],
  state: [],
  constant: [
    { build: (b) => b.constant(7, [3]), expected: [7, 7, 7] },
    { build: (b) => b.constant([1, 2], [2]), expected: [1, 2] },
  ],
  add: [
    {
      build: (b) => b.append("add", [numbers(b, [1, 2, 3, 4], [2, 2]), numbers(b, [10, 20])], {}),
      expected: [11, 22, 13, 24],
    },
  ],
  subtract: [
    {
      build: (b) =>
        b.append("subtract", [numbers(b, [1, 2], [2, 1]), numbers(b, [10, 20], [1, 2])], {}),
      expected: [-9, -19, -8, -18],
    },
  ],
  multiply: [
    {
      build: (b) => b.append("multiply", [numbers(b, [1, 2, 3]), b.constant(-2)], {}),
      expected: [-2, -4, -6],
    },
  ],
  divide: [
    {
      build: (b) => b.append("divide", [numbers(b, [1, 9]), numbers(b, [4, -3])], {}),
      expected: [0.25, -3],
    },
  ],
  sqrt: [{ build: (b) => b.append("sqrt", [numbers(b, [0, 4, 2.25])], {}), expected: [0, 2, 1.5] }],
  relu: [{ build: (b) => b.append("relu", [numbers(b, [-1, 0, 2])], {}), expected: [0, 0, 2] }],
  reluGrad: [
    {
      build: (b) => b.append("reluGrad", [numbers(b, [5, 6, -7]), numbers(b, [-1, 0, 2])], {}),
      expected: [0, 0, -7],
    },
  ],
  reshape: [
    {
      build: (b) =>
        b.append("reshape", [numbers(b, [1, 2, 3, 4, 5, 6], [2, 3])], { shape: [3, 2] }),
      expected: [1, 2, 3, 4, 5, 6],
    },
  ],
  broadcast: [
    {
      build: (b) => b.append("broadcast", [numbers(b, [1, 2], [2, 1])], { shape: [2, 3] }),
      expected: [1, 1, 1, 2, 2, 2],
    },
  ],
  sum: [
    {
      build: (b) => b.append("sum", [numbers(b, [1, 2, 3, 4, 5, 6], [2, 3])], { axes: [0] }),
      expected: [5, 7, 9],
    },
    {
      build: (b) => b.append("sum", [numbers(b, [1, 2, 3, 4, 5, 6], [2, 3])], { axes: [1] }),
      expected: [6, 15],
    },
    {
      build: (b) => b.append("sum", [numbers(b, [1, 2, 3, 4, 5, 6], [2, 3])], { axes: [0, 1] }),
      expected: [21],
    },
  ],
  slice: [
    {
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [2, 5]);
        return b.append("slice", [x], { start: [1, 0], stride: [1, 2], shape: [1, 3] });
      },
      expected: [6, 8, 10],
    },
  ],
  pad: [
    {
      build: (b) => {
        const x = numbers(b, [1, 2], [1, 2]);
        return b.append("pad", [x], { before: [1, 0], interior: [1, 2], shape: [2, 4] });
      },
      expected: [0, 0, 0, 0, 1, 0, 2, 0],
    },
  ],
  // A = [1 2 3; 4 5 6]
  matmul: [
    {
      transposeA: false,
      transposeB: false,
      b: [1, 0, 0, 1, 1, 1],
      shape: [3, 2],
      expected: [4, 5, 10, 11],
    },
    {
      transposeA: false,
      transposeB: true,
      b: [1, 0, 1, 0, 1, 1],
      shape: [2, 3],
      expected: [4, 5, 10, 11],
    },
    { transposeA: true, transposeB: false, b: [1, -1], shape: [2, 1], expected: [-3, -3, -3] },
    { transposeA: true, transposeB: true, b: [1, -1], shape: [1, 2], expected: [-3, -3, -3] },
  ].map(({ transposeA, transposeB, b: values, shape, expected }) => ({
    build: (b) => {
      const operands = [numbers(b, [1, 2, 3, 4, 5, 6], [2, 3]), numbers(b, values, shape)];
      return b.append("matmul", operands, { transposeA, transposeB });
    },
    expected,
  })),
  conv2d: [
    {
      // Cross-correlation: the kernel is not turned round.
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);
        const w = numbers(b, [1, 10, 100, 1000], [1, 1, 2, 2]);
        return b.append("conv2d", [x, w], { ...geometry, ...plain });
      },
      expected: [5421, 6532, 8754, 9865],
    },
    {
      // Padding and stride, bias, residual, ReLU: centre taps at the corners.
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);
        const w = numbers(b, [0, 0, 0, 0, 1, 0, 0, 0, 1], [1, 1, 3, 3]);
        const [bias, residual] = [numbers(b, [-10]), numbers(b, [0, 1, 2, 3], [1, 1, 2, 2])];
        return b.append("conv2d", [x, w, bias, residual], {
          stride: [2, 2],
          padding: [1, 1],
          groups: 1,
          bias: true,
          residual: true,
          relu: true,
        });
      },
      // 1 + 5, 3, 7, 9; − 10; + residual
      expected: [0, 0, 0, 2],
    },
    {
      // Two groups of two channels, two outputs each, of 1×1 maps.
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4], [1, 4, 1, 1]);
        const w = numbers(b, [1, 0, 0, 1, 1, 1, 1, -1], [4, 2, 1, 1]);
        return b.append("conv2d", [x, w], { ...geometry, ...plain, groups: 2 });
      },
      expected: [1, 2, 7, -1],
    },
  ],
  conv2dInputGrad: [
    {
      // One pixel of the gradient spreads the kernel.
      build: (b) => {
        const g = numbers(b, [0, 1, 0, 0], [1, 1, 2, 2]);
        const w = numbers(b, [1, 2, 3, 4], [1, 1, 2, 2]);
        return b.append("conv2dInputGrad", [g, w], { ...geometry, shape: [1, 1, 3, 3] });
      },
      expected: [0, 1, 2, 0, 3, 4, 0, 0, 0],
    },
  ],
  conv2dWeightGrad: [
    {
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);
        const g = numbers(b, [0, 1, 0, 10], [1, 1, 2, 2]);
        return b.append("conv2dWeightGrad", [x, g], { ...geometry, shape: [1, 1, 2, 2] });
      },
      expected: [52, 63, 85, 96],
    },
  ],
  moments: [
    {
      build: (b) => b.append("moments", [numbers(b, [1, 10, 3, 10, 5, 40], [3, 2])], {}),
      expected: [3, 20, 8 / 3, 200],
    },
    {
      build: (b) => b.append("moments", [numbers(b, [1, 3, 5, 7], [2, 1, 1, 2])], {}),
      expected: [4, 5],
    },
  ],
  normalize: [
    {
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4], [2, 2]);
        const vectors = [numbers(b, [1, 2]), numbers(b, [10, 100]), numbers(b, [1, -1])];
        return b.append("normalize", [x, ...vectors], { residual: false, relu: false });
      },
      expected: [1, -1, 21, 199],
    },
    {
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4], [1, 2, 1, 2]);
        const vectors = [numbers(b, [1, 2]), numbers(b, [10, 100]), numbers(b, [1, -1])];
        const residual = numbers(b, [-2, 1, 0, 1], [1, 2, 1, 2]);
        return b.append("normalize", [x, ...vectors, residual], { residual: true, relu: true });
      },
      expected: [0, 12, 99, 200],
    },
  ],
  normalizeGradSums: [
    {
      build: (b) => {
        const [g, x] = [numbers(b, [1, 2, 3, 4], [2, 2]), numbers(b, [5, 6, 7, 8], [2, 2])];
        return b.append("normalizeGradSums", [g, x, numbers(b, [5, 8])], {});
      },
      expected: [4, 6, 6, -4],
    },
  ],
  normalizeInputGrad: [
    {
      build: (b) => {
        const [g, x] = [numbers(b, [1, 2, 3, 4], [2, 2]), numbers(b, [5, 6, 7, 8], [2, 2])];
        const vectors = [
          [2, 3],
          [5, 8],
          [10, 100],
          [1, -1],
        ].map((values) => numbers(b, values));
        return b.append("normalizeInputGrad", [g, x, ...vectors], {});
      },
      expected: [3, -195, 27, 11],
    },
  ],
  rows: [-2, 3, 8].map((start) => ({
    // Starts that are the same modulo 5.
    build: (b) => {
      const x = numbers(b, [0, 10, 20, 30, 40, 50, 60]);
      const range = { base: 1, modulo: 5, offset: 1, count: 3 };
      return b.append("rows", [x, whole(b, 99, start)], { index: 1, range });
    },
    expected: [50, 10, 20],
  })),
  joinRows: [
    {
      build: (b) => {
        const start = whole(b, 3);
        return b.append("joinRows", [numbers(b, [1, 2]), numbers(b, [3, 4]), start, start], {
          indices: [0, 0],
          ranges: [
            { base: 0, modulo: 4, offset: 0, count: 2 },
            { base: 0, modulo: 4, offset: 2, count: 2 },
          ],
        });
      },
      expected: [2, 3, 4, 1],
    },
  ],
  addRows: [
    {
      build: (b) => {
        const [base, part] = [numbers(b, [1, 2, 3, 4], [4, 1]), numbers(b, [10, 20], [2, 1])];
        const range = { base: 1, modulo: 3, offset: 0, count: 2 };
        return b.append("addRows", [base, part, whole(b, 2)], { index: 0, range });
      },
      expected: [1, 22, 3, 14],
    },
  ],
  crop: [
    {
      // Row 1·1 − 1 = 0, column 1·2 + 0 = 2 of a 3×3 map: the third column, and zeros beside it.
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);
        const window = { index: 0, height: 2, width: 2, stride: [1, 2], offset: [-1, 0] } as const;
        return b.append("crop", [x, whole(b, 1, 1)], window);
      },
      expected: [3, 0, 6, 0],
    },
    {
      build: (b) => {
        const x = numbers(b, [1, 2, 3, 4], [1, 1, 2, 2]);
        const window = { index: 1, height: 2, width: 2, stride: [1, 1], offset: [0, 0] } as const;
        return b.append("crop", [x, whole(b, 7, -1, -1)], window);
      },
      expected: [0, 0, 0, 1],
    },
  ],
  addCrop: [
    {
      build: (b) => {
        const base = numbers(b, [1, 2, 3, 4], [1, 1, 2, 2]);
        const part = numbers(b, [10, 20, 30, 40], [1, 1, 2, 2]);
        const window = { index: 0, height: 2, width: 2, stride: [1, 1], offset: [0, 0] } as const;
        return b.append("addCrop", [base, part, whole(b, 1, -1)], window);
      },
      expected: [1, 2, 23, 4],
    },
  ],
  // 3 -9 5 | -1 -2 5 in rows of one map: windows of 2×2 that start outside it, and equal values
  maxPool: [
    {
      build: (b) => {
        const x = numbers(b, [3, -9, 5, -1, -2, 5], [1, 1, 2, 3]);
        return b.append("maxPool", [x], { kernel: [2, 2], stride: [1, 2], padding: [1, 1] });
      },
      expected: [3, 5, 3, 5, -1, 5],
    },
  ],
  maxPoolGrad: [
    {
      build: (b) => {
        const x = numbers(b, [3, -9, 5, -1, -2, 5], [1, 1, 2, 3]);
        const g = numbers(b, [1, 2, 10, 20, 100, 200], [1, 1, 3, 2]);
        const attributes = { kernel: [2, 2], stride: [1, 2], padding: [1, 1] } as const;
        return b.append("maxPoolGrad", [g, x], attributes);
      },
      expected: [11, 0, 22, 100, 0, 200],
    },
  ],
  softmaxCrossEntropy: [
    {
      build: (b) => {
        const logits = numbers(b, [0, 0, 1000, 1000 + Math.log(3)], [2, 2]);
        return b.append("softmaxCrossEntropy", [logits, whole(b, 0, 1)], {});
      },
      expected: [Math.log(2), Math.log(4 / 3)],
    },
  ],
  softmaxCrossEntropyGrad: [
    {
      build: (b) => {
        const logits = numbers(b, [0, 0, -1000, -1000 + Math.log(3)], [2, 2]);
        const operands = [logits, whole(b, 0, 1), numbers(b, [1, 4])];
        return b.append("softmaxCrossEntropyGrad", operands, {});
      },
      expected: [-0.5, 0.5, 1, -1],
    },
  ],
};

// float64: log 3 + 1000 is rounded to 1e-13; the rest is exact to a few units in the last place.
const tolerance = 1e-12;

for (const [op, cases] of Object.entries(answers)) {
  if (cases.length === 0) continue;
  test(`${op} as worked out by hand`, async (t) => {
    const backend = createReferenceBackend();
    for (const { build, expected } of cases) {
      const graph = trace((builder) => builder.output("y", build(builder)));
      const { y } = await (await backend.compile(graph)).run();
      const actual = Array.from(y?.data ?? []);
      const near = expected.every((value, i) => Math.abs(value - (actual[i] ?? NaN)) <= tolerance);
      t.ok(near && actual.length === expected.length, `[${actual}] is [${expected}]`);
    }
    await backend.dispose();
  });
}
