// What the planner may not put together: graphs that look as if a kernel could compute two values as one, or walk through
// two axes as one, and in which that would be wrong. Against the reference in float64.

import type { Feeds } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import {
  add,
  addCrop,
  addRows,
  conv2d,
  foldIn,
  joinRows,
  key,
  multiply,
  normal,
  normalize,
  normalizeGradSums,
  pad,
  relu,
  reluGrad,
  rows,
  type Shape,
  sizeOf,
  slice,
  sum,
  type Tensor,
  trace,
} from "@fewnorm/tensor";
import test from "tape";
import { differences } from "./differences.ts";

const IMAGES = 6;
const IMAGE = [8, 12, 12] as const;
const ALL = [IMAGES, ...IMAGE];
const ring = (offset: number, count: number) => ({ base: 0, modulo: IMAGES, offset, count });
const [FEW, REST] = [ring(0, 2), ring(2, 4)];
const padded = { stride: [1, 1], padding: [1, 1], groups: 1 } as const;

/** Inputs by shape, each a new one. */
interface Operands {
  of(...shape: Shape): Tensor;
  readonly starts: Tensor;
}

/** ∂L/∂x of a 3 × 3 convolution of x, from g. */
function inputGrad(g: Tensor, w: Tensor, shape: Shape = ALL): Tensor {
  return g.builder.append("conv2dInputGrad", [g, w], { ...padded, shape });
}

/** What a window of 2 × 2 results depends on. */
const WINDOW = { index: 2, height: 4, width: 4, stride: [1, 1], offset: [-1, -1] } as const;

function windowGrad(g: Tensor, w: Tensor): Tensor {
  const attributes = { ...padded, padding: [0, 0], shape: [IMAGES, 8, 4, 4] } as const;
  return g.builder.append("conv2dInputGrad", [g, w], attributes);
}

/** A folded layer's input gradient: that of its results, and that of a window's, unscaled. */
function patched({ of, starts }: Operands) {
  const w = of(8, 8, 3, 3);
  const base = inputGrad(of(...ALL), multiply(w, of(8, 1, 1, 1)));
  const part = windowGrad(of(IMAGES, 8, 2, 2), w);
  return { base, part, whole: addCrop(base, part, starts, WINDOW) };
}

/** All of two values as rows of one. */
function doubled(first: Tensor, second: Tensor, start: Tensor): Tensor {
  const range = (offset: number) => ({ base: 0, modulo: 2 * IMAGES, offset, count: IMAGES });
  return joinRows([
    { part: first, start, range: range(0) },
    { part: second, start, range: range(IMAGES) },
  ]);
}

const cases: Record<string, (operands: Operands) => readonly Tensor[]> = {
  "a patched gradient whose parts are fetched, too": (operands) => Object.values(patched(operands)),
  "a patched gradient whose window is needed again": (operands) => {
    const { part, whole } = patched(operands);
    return [whole, relu(part)];
  },
  "windows that lie elsewhere than their results": ({ of, starts }) =>
    (
      [
        [1, { ...WINDOW, offset: [0, 0] }, 2, {}],
        [1, { ...WINDOW, stride: [2, 2] }, 2, {}],
        [3, { ...WINDOW, stride: [3, 3], height: 6, width: 6 }, 2, { stride: [2, 2] }],
        [3, { ...WINDOW, stride: [3, 3], height: 6, width: 6 }, 2, { padding: [1, 1] }],
      ] as const
    ).map(([stride, place, size, different]) => {
      const w = of(8, 8, 3, 3);
      const whole = { ...padded, stride: [stride, stride], shape: ALL } as const;
      const window = { ...whole, padding: [0, 0], ...different } as const;
      const results = Math.ceil(12 / stride);
      const [g, part] = [of(IMAGES, 8, results, results), of(IMAGES, 8, size, size)];
      const scaled = multiply(w, of(8, 1, 1, 1));
      const base = g.builder.append("conv2dInputGrad", [g, scaled], whole);
      const shape = [IMAGES, 8, place.height, place.width];
      const added = g.builder.append("conv2dInputGrad", [part, w], { ...window, shape });
      return addCrop(base, added, starts, place);
    }),
  "normalized rows that are added and fetched": ({ of, starts }) => {
    const part = normalize(of(2, ...IMAGE), of(8), of(8), of(8));
    return [addRows(relu(of(...ALL)), part, starts, { range: FEW }), part];
  },
  "a slice that is padded and fetched": ({ of }) => {
    const part = slice(of(...ALL), { start: [0, 0, 1, 2], shape: [IMAGES, 8, 9, 9] });
    return [pad(part, { before: [0, 0, 1, 1], shape: ALL }), part];
  },
  "filters that a product repeats": ({ of }) => [
    conv2d(of(...ALL), multiply(of(1, 8, 3, 3), of(8, 1, 1, 1)), padded),
  ],
  "a ReLU, a residual, a mean or a shift beside sums of the same gradient": ({ of }) => {
    const g = relu(of(...ALL));
    const zero = g.builder.constant(0, [8]);
    return [
      { mean: zero, shift: zero, relu: true },
      { mean: zero, shift: zero, residual: of(...ALL) },
      { mean: zero, shift: of(8) },
      { mean: of(8), shift: zero },
    ].flatMap(({ mean, shift, ...options }) => {
      const other = add(g, of(8, 1, 1));
      return [
        normalize(other, mean, of(8), shift, options),
        normalizeGradSums(other, of(...ALL), of(8)),
      ];
    });
  },
  "rows of what is computed after the gradient that they are added to": ({ of, starts }) => {
    const gradient = inputGrad(of(2, ...IMAGE), of(8, 8, 3, 3), [2, ...IMAGE]);
    return [relu(add(gradient, rows(relu(of(...ALL)), starts, { range: FEW })))];
  },
  "rows' masks that are other rows of the join, or begin elsewhere": ({ of, starts }) => {
    const [few, rest] = [relu(of(2, ...IMAGE)), relu(of(4, ...IMAGE))];
    const joined = joinRows([
      { part: few, start: starts, range: FEW },
      { part: rest, start: starts, range: REST },
    ]);
    const maskedBy = (ranges: readonly (typeof FEW)[], index: number) => {
      const gradient = inputGrad(of(...ALL), of(8, 8, 3, 3));
      return ranges.map((range, i) =>
        reluGrad(rows(gradient, starts, { range, index }), i === 0 ? few : rest),
      );
    };
    return [joined, ...maskedBy([ring(3, 2), ring(5, 4)], 0), ...maskedBy([FEW, REST], 1)];
  },
  "a mask of a join's gradient, in another join": ({ of, starts }) => {
    const results = of(...ALL);
    const parts = [FEW, REST].map((range) => ({
      part: inputGrad(of(range.count, ...IMAGE), of(8, 8, 3, 3), [range.count, ...IMAGE]),
      start: starts,
      range,
    }));
    return [doubled(reluGrad(joinRows(parts), results), relu(of(...ALL)), starts)];
  },
  "a mask of a patched gradient, in a join": (operands) => {
    const { of, starts } = operands;
    const results = of(...ALL);
    return [doubled(reluGrad(patched(operands).whole, results), relu(of(...ALL)), starts)];
  },
  "a gradient plus a product": ({ of }) => {
    const product = multiply(of(...ALL), of(...ALL));
    return [relu(add(inputGrad(of(...ALL), of(8, 8, 3, 3)), product))];
  },
  "a column that is padded": ({ of }) => [pad(of(5000, 1), { before: [0, 1], shape: [5000, 3] })],
  "few rows that are summed": ({ of, starts }) => [sum(rows(of(6, 5), starts, { range: FEW }))],
};

test("what is not computed together, nor in passing", async (t) => {
  const reference = await createReferenceBackend();
  const engines = [
    await createWasmBackend({ threads: 1 }),
    await createWasmBackend({ threads: 2 }),
  ];
  for (const [name, record] of Object.entries(cases)) {
    let drawn = 0;
    const feeds: Record<string, ArrayLike<number>> = { starts: [5, 3, 1, 2] };
    const graph = trace((builder) => {
      const of = (...shape: number[]) => {
        const input = `${drawn++}`;
        feeds[input] = normal(foldIn(key(1), drawn), sizeOf(shape));
        return builder.input(input, shape);
      };
      const starts = builder.input("starts", [4], "int32");
      for (const [i, tensor] of record({ of, starts }).entries()) builder.output(`${i}`, tensor);
    });
    const fed = Object.fromEntries(Object.keys(graph.inputs).map((input) => [input, feeds[input]]));
    const expected = await (await reference.compile(graph)).run(fed as Feeds);
    for (const backend of engines) {
      const actual = await (await backend.compile(graph)).run(fed as Feeds);
      t.deepEqual(differences(expected, actual, 1e-5), [], `${name}, ${backend.description}`);
    }
  }
  for (const backend of [reference, ...engines]) await backend.dispose();
  t.end();
});
