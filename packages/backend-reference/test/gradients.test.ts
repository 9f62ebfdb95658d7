// Every gradient rule against central differences, once and twice.

import {
  add,
  addCrop,
  addRows,
  broadcast,
  type Conv2dOptions,
  conv2d,
  convolvedShape,
  crop,
  divide,
  grad,
  joinRows,
  matmul,
  maxPool,
  moments,
  multiply,
  normalize,
  normalizeGradSums,
  type Primitive,
  pad,
  pair,
  relu,
  reluGrad,
  reshape,
  row,
  rows,
  type Shape,
  scaleChannels,
  slice,
  softmaxCrossEntropy,
  sqrt,
  subtract,
  sum,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { type Build, checkGradient } from "./gradient-check.ts";

interface Cases {
  readonly cases: Readonly<Record<string, Build>>;
  /** Why the gradient cannot be differentiated again, in the words of its error. */
  readonly once?: RegExp;
}

const binary = (op: typeof add, second: "values" | "positive" = "values"): Cases => ({
  cases: {
    "same shapes": (o) => op(o.values(2, 3), o[second](2, 3)),
    scalar: (o) => op(o.values(2, 3), o[second]()),
    "channels against maps": (o) => op(o.values(2, 3, 2, 2), o[second](3, 1, 1)),
    "maps against channels": (o) => op(o.values(3, 1, 1), o[second](2, 3, 2, 2)),
    "output channels": (o) => op(o.values(3, 2, 2, 1), o[second](3, 1, 1, 1)),
    "row and column": (o) => op(o.values(1, 3), o[second](4, 1)),
    number: (o) => op(1.5, o[second](3)),
    "with itself": (o) => {
      const x = o[second](5);
      return op(x, x);
    },
  },
});

const geometries: readonly { x: Shape; w: Shape; options: Omit<Conv2dOptions, "bias"> }[] = [
  { x: [2, 2, 4, 3], w: [3, 2, 3, 3], options: { padding: 1 } },
  { x: [1, 2, 5, 4], w: [2, 2, 3, 2], options: { stride: [2, 1], padding: [1, 0] } },
  { x: [1, 2, 4, 6], w: [1, 2, 1, 1], options: { stride: 2 } },
  { x: [1, 4, 3, 3], w: [4, 2, 3, 3], options: { padding: 1, groups: 2 } },
  { x: [2, 3, 4, 4], w: [3, 1, 3, 3], options: { stride: 2, padding: 1, groups: 3 } },
  { x: [1, 1, 1, 1], w: [2, 1, 3, 3], options: { padding: 1 } },
];

const named = (build: (geometry: (typeof geometries)[number]) => Build): Cases["cases"] =>
  Object.fromEntries(
    geometries.map((geometry) => [
      `[${geometry.x}] * [${geometry.w}] ${JSON.stringify(geometry.options)}`,
      build(geometry),
    ]),
  );

const attributesOf = ({ stride = 1, padding = 0, groups = 1 }: Conv2dOptions) => ({
  stride: pair(stride),
  padding: pair(padding),
  groups,
});

const range = { base: 1, modulo: 5, offset: 1, count: 3 };
const window = { index: 0, height: 3, width: 2, stride: [2, 1], offset: [-1, 0] } as const;

const table: { readonly [P in Primitive]: Cases } = {
  // Leaves: the gradient ends there.
  input: { cases: { itself: (o) => o.values(2, 3) } },
  state: { cases: {} },
  constant: { cases: { "beside an input": (o) => add(o.values(3), o.builder.constant(2, [3])) } },
  add: binary(add),
  subtract: binary(subtract),
  multiply: binary(multiply),
  divide: binary(divide, "positive"),
  sqrt: { cases: { "[5]": (o) => sqrt(o.positive(5)) } },
  relu: { cases: { "[2, 5]": (o) => relu(o.awayFromZero(2, 5)) } },
  reluGrad: { cases: { "[2, 5]": (o) => reluGrad(o.values(2, 5), o.awayFromZero(2, 5)) } },
  reshape: { cases: { "[2, 3] to [3, 2]": (o) => reshape(o.values(2, 3), [3, 2]) } },
  broadcast: {
    cases: {
      "[3, 1] to [2, 3, 4]": (o) => broadcast(o.values(3, 1), [2, 3, 4]),
      "[] to [2, 2]": (o) => broadcast(o.values(), [2, 2]),
      "[1, 1] to [1, 3]": (o) => broadcast(o.values(1, 1), [1, 3]),
    },
  },
  sum: {
    cases: {
      "channels of maps": (o) => sum(o.values(2, 3, 2, 2), [0, 2, 3]),
      "one axis": (o) => sum(o.values(2, 3, 4), [1]),
      everything: (o) => sum(o.values(2, 3)),
    },
  },
  slice: {
    cases: {
      strided: (o) => slice(o.values(3, 7), { start: [1, 2], stride: [1, 2], shape: [2, 3] }),
      row: (o) => row(o.values(2, 3), 1),
    },
  },
  pad: {
    cases: {
      interior: (o) => pad(o.values(2, 3), { before: [1, 2], interior: [1, 2], shape: [4, 8] }),
    },
  },
  matmul: {
    cases: {
      a·b: (o) => matmul(o.values(2, 3), o.values(3, 4)),
      aᵀ·b: (o) => matmul(o.values(3, 2), o.values(3, 4), { transposeA: true }),
      a·bᵀ: (o) => matmul(o.values(2, 3), o.values(4, 3), { transposeB: true }),
      aᵀ·bᵀ: (o) => matmul(o.values(3, 2), o.values(4, 3), { transposeA: true, transposeB: true }),
      a·a: (o) => {
        const a = o.values(3, 3);
        return matmul(a, a);
      },
    },
  },
  conv2d: {
    cases: {
      ...named(
        ({ x, w, options }) =>
          (o) =>
            conv2d(o.values(...x), o.values(...w), options),
      ),
      "bias, residual and relu": (o) => {
        const [x, w] = [o.values(2, 2, 3, 3), o.values(3, 2, 3, 3)];
        const [bias, residual] = [o.values(3), o.values(2, 3, 3, 3)];
        return conv2d(x, w, { padding: 1, bias, residual, relu: true });
      },
      residual: (o) =>
        conv2d(o.values(1, 2, 2, 2), o.values(3, 2, 1, 1), { residual: o.values(1, 3, 2, 2) }),
    },
  },
  conv2dInputGrad: {
    cases: named(({ x, w, options }) => (o) => {
      const g = o.values(...convolvedShape(x, w, options));
      const attributes = { ...attributesOf(options), shape: x };
      return o.builder.append("conv2dInputGrad", [g, o.values(...w)], attributes);
    }),
  },
  conv2dWeightGrad: {
    cases: named(({ x, w, options }) => (o) => {
      const g = o.values(...convolvedShape(x, w, options));
      const attributes = { ...attributesOf(options), shape: w };
      return o.builder.append("conv2dWeightGrad", [o.values(...x), g], attributes);
    }),
  },
  moments: {
    cases: {
      "[5, 3]": (o) => moments(o.values(5, 3)),
      "[2, 3, 2, 3]": (o) => moments(o.values(2, 3, 2, 3)),
    },
  },
  normalize: {
    cases: {
      "[4, 3]": (o) => normalize(o.values(4, 3), o.values(3), o.values(3), o.values(3)),
      "[2, 3, 2, 2] with residual and relu": (o) => {
        const [x, residual] = [o.values(2, 3, 2, 2), o.values(2, 3, 2, 2)];
        return normalize(x, o.values(3), o.values(3), o.values(3), { residual, relu: true });
      },
      "scaled channels": (o) => scaleChannels(o.values(2, 3), o.values(3)),
    },
  },
  normalizeGradSums: {
    cases: {
      "[4, 3]": (o) => normalizeGradSums(o.values(4, 3), o.values(4, 3), o.values(3)),
      "[2, 3, 2, 2]": (o) =>
        normalizeGradSums(o.values(2, 3, 2, 2), o.values(2, 3, 2, 2), o.values(3)),
    },
  },
  normalizeInputGrad: {
    cases: Object.fromEntries(
      [
        [4, 3],
        [2, 3, 2, 2],
      ].map((shape) => [
        `[${shape}]`,
        (o) => {
          const images = [o.values(...shape), o.values(...shape)];
          const vectors = [o.values(3), o.values(3), o.values(3), o.values(3)];
          return o.builder.append("normalizeInputGrad", [...images, ...vectors], {});
        },
      ]),
    ),
  },
  rows: {
    cases: {
      "that wrap": (o) => rows(o.values(7, 2), o.whole(9, 3), { range, index: 1 }),
      "of maps": (o) => rows(o.values(6, 2, 2, 1), o.whole(-2), { range }),
    },
  },
  joinRows: {
    cases: {
      "two parts": (o) => {
        const start = o.whole(4);
        return joinRows([
          { part: o.values(2, 3), start, range: { base: 0, modulo: 5, offset: 0, count: 2 } },
          { part: o.values(3, 3), start, range: { base: 0, modulo: 5, offset: 2, count: 3 } },
        ]);
      },
      "one part twice": (o) => {
        const [start, part] = [o.whole(1), o.values(2, 3)];
        return joinRows([
          { part, start, range: { base: 0, modulo: 4, offset: 2, count: 2 } },
          { part, start, range: { base: 0, modulo: 4, offset: 0, count: 2 } },
        ]);
      },
    },
  },
  addRows: {
    cases: {
      "that wrap": (o) => addRows(o.values(6, 2), o.values(3, 2), o.whole(4), { range }),
      "rows of itself": (o) => {
        const [x, start] = [o.values(6, 2), o.whole(4, 2)];
        return addRows(x, rows(x, start, { range }), start, { range, index: 1 });
      },
    },
  },
  crop: {
    cases: {
      inside: (o) => crop(o.values(2, 2, 4, 4), o.whole(1, 2), window),
      "over the borders": (o) => crop(o.values(1, 2, 3, 3), o.whole(0, 2), window),
      outside: (o) => crop(o.values(1, 1, 3, 3), o.whole(9, 0), window),
    },
  },
  addCrop: {
    cases: {
      inside: (o) => addCrop(o.values(2, 2, 4, 4), o.values(2, 2, 3, 2), o.whole(1, 2), window),
      "over the borders": (o) =>
        addCrop(o.values(1, 2, 3, 3), o.values(1, 2, 3, 2), o.whole(0, -1), window),
    },
  },
  softmaxCrossEntropy: {
    cases: { "[4, 3]": (o) => softmaxCrossEntropy(o.values(4, 3), o.whole(0, 2, 1, 1)) },
    once: /grad: softmaxCrossEntropyGrad has no gradient rule; .* other primitives/,
  },
  maxPool: {
    cases: {
      apart: (o) => maxPool(o.values(2, 2, 4, 5), { kernel: 2 }),
      "that overlap": (o) => maxPool(o.values(1, 2, 5, 4), { kernel: 3, stride: 2, padding: 1 }),
    },
    once: /grad: maxPoolGrad has no gradient rule; .* other primitives/,
  },
  // Has none; asserted with maxPool, whose gradient it is.
  maxPoolGrad: { cases: {} },
  // Has none; asserted with softmaxCrossEntropy, whose gradient it is.
  softmaxCrossEntropyGrad: { cases: {} },
};

for (const [op, { cases, once }] of Object.entries(table)) {
  if (Object.keys(cases).length === 0) continue;
  test(`gradient of ${op}`, async (t) => {
    for (const [name, build] of Object.entries(cases)) {
      await checkGradient(t, `${op} ${name}`, 1, build);
      if (once === undefined) await checkGradient(t, `${op} ${name}`, 2, build);
      else {
        try {
          await checkGradient(t, name, 2, build);
          t.fail("must be an error");
        } catch (error) {
          t.match(String(error), once, "says why there is no second gradient");
        }
      }
    }
  });
}

test("gradient of batch normalization: one pass writes the input's", async (t) => {
  const build: Build = (o) => {
    const x = o.values(3, 2, 2, 2);
    const statistics = moments(x);
    const scale = divide(o.values(2), sqrt(add(row(statistics, 1), 1e-3)));
    return normalize(x, row(statistics, 0), scale, o.values(2));
  };
  await checkGradient(t, "batch normalization", 1, build);
  await checkGradient(t, "batch normalization", 2, build);
  const graph = trace((b) => {
    const x = b.input("x", [3, 2, 2, 2]);
    const statistics = moments(x);
    const scale = divide(b.input("gamma", [2]), sqrt(add(row(statistics, 1), 1e-3)));
    const y = normalize(x, row(statistics, 0), scale, b.constant(0, [2]));
    const [dx] = grad(sum(multiply(y, b.input("c", y.shape))), [x]);
    b.output("dx", dx);
  });
  const ops = graph.nodes.filter(({ shape }) => shape.length === 4).map(({ op }) => op);
  t.ok(ops.includes("normalizeInputGrad"), "the two contributions to ∂x are one primitive");
  t.notOk(ops.includes("add"), "and nothing adds them");
});

test("gradients through a state", async (t) => {
  const graph = trace((b) => {
    const w = b.state("w", [3]);
    const [dw] = grad(sum(multiply(w, w)), [w]);
    b.output("dw", dw);
  });
  t.ok(
    graph.nodes.some(({ op }) => op === "state"),
    "∂Σw²/∂w is computed from w",
  );
});
