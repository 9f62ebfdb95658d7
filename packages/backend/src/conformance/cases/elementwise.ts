// Cases of the leaves and of element-wise arithmetic with its broadcasting.

import { add, divide, multiply, relu, reluGrad, type Shape, sqrt, subtract } from "@fewnorm/tensor";
import type { Case } from "../recording.ts";

/** An input that is directly an output, a vector of whole numbers too, and one value under two names. */
export const inputCases: readonly Case[] = [
  ...[[], [1], [5], [17, 3], [2, 3, 5, 7]].map(
    (shape): Case => ({ name: `input [${shape}]`, build: (r) => r.values(shape) }),
  ),
  { name: "int32 input", build: (r) => r.integers([3, -1, 2 ** 31 - 1, -(2 ** 31)]) },
  {
    name: "one input as two outputs",
    build(r) {
      const x = r.values([3, 4]);
      return { a: x, b: x };
    },
  },
];

export const stateCases: readonly Case[] = [
  { name: "state as output", build: (r) => r.state("w", [3, 2, 1, 5]) },
  { name: "scalar state as output", build: (r) => r.state("w", []) },
  {
    name: "state replaced by its successor; the output is the old one",
    build(r) {
      const w = r.state("w", [17]);
      r.builder.update("w", add(w, 1));
      return w;
    },
  },
  {
    name: "two states swapped",
    build(r) {
      const [a, b] = [r.state("a", [5, 3]), r.state("b", [5, 3])];
      r.builder.update("a", b);
      r.builder.update("b", a);
      return { a, b };
    },
  },
  {
    name: "three states turned round, one of them scaled",
    build(r) {
      const [a, b, c] = [r.state("a", [9]), r.state("b", [9]), r.state("c", [9])];
      r.builder.update("a", b);
      r.builder.update("b", multiply(c, 3));
      r.builder.update("c", a);
      return {};
    },
  },
  {
    name: "two states updated by one value",
    build(r) {
      const [a, b] = [r.state("a", [4, 4]), r.state("b", [4, 4])];
      const total = add(a, b);
      r.builder.update("a", total);
      r.builder.update("b", total);
      return total;
    },
  },
  {
    name: "state updated by an input",
    build(r) {
      r.state("w", [2, 3]);
      r.builder.update("w", r.values([2, 3]));
      return {};
    },
  },
];

export const constantCases: readonly Case[] = [
  { name: "scalar", build: (r) => r.builder.constant(2.5) },
  { name: "not exact in float32", build: (r) => r.builder.constant(0.1, [3]) },
  { name: "filled", build: (r) => r.builder.constant(-3, [2, 3, 4, 5]) },
  { name: "listed", build: (r) => r.builder.constant([1, 2, 3, 4, 5, 6], [2, 3]) },
  { name: "int32", build: (r) => r.builder.constant([4, -7], [2], "int32") },
  {
    name: "state updated by a constant",
    build(r) {
      const w = r.state("w", [3]);
      r.builder.update("w", r.builder.constant(7, [3]));
      return w;
    },
  },
];

/** Every kind of broadcasting that steps contain, and some that they do not. */
const pairs: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[1], [1]],
  [[7], [7]],
  [[1031], [1031]],
  [
    [2, 17, 5, 3],
    [2, 17, 5, 3],
  ],
  [
    [4, 16, 8, 8],
    [4, 16, 8, 8],
  ],
  [[], [3, 5]],
  [[2, 3, 5, 7], []],
  [
    [17, 1, 1],
    [2, 17, 5, 3],
  ],
  [
    [2, 16, 4, 4],
    [16, 1, 1],
  ],
  [
    [1, 3, 1, 1],
    [5, 3, 2, 2],
  ],
  [
    [16, 1, 1, 1],
    [16, 3, 3, 3],
  ],
  [
    [4, 17, 1, 1],
    [4, 1, 1, 1],
  ],
  [[6, 5], [5]],
  [
    [6, 5],
    [1, 5],
  ],
  [
    [6, 5],
    [6, 1],
  ],
  [
    [6, 1],
    [1, 5],
  ],
  [[1], [6]],
  [
    [3, 1, 5],
    [4, 1],
  ],
  [
    [1, 4, 1, 3],
    [2, 1, 5, 1],
  ],
];

function binaryCases(op: typeof add, second: "values" | "positive" = "values"): readonly Case[] {
  return [
    ...pairs.map(
      ([a, b]): Case => ({
        name: `[${a}] with [${b}]`,
        build: (r) => op(r.values(a), r[second](b)),
      }),
    ),
    { name: "number on the left", build: (r) => op(1.5, r[second]([3, 4])) },
    { name: "number on the right", build: (r) => op(r.values([3, 4]), 1.5) },
    {
      name: "an operand with itself",
      build(r) {
        const x = r[second]([5, 7]);
        return op(x, x);
      },
    },
  ];
}

export const addCases = binaryCases(add);
export const subtractCases = binaryCases(subtract);
export const multiplyCases = binaryCases(multiply);
export const divideCases = binaryCases(divide, "positive");

const shapes: readonly Shape[] = [[], [1], [3], [1029], [17, 5], [2, 3, 5, 7], [2, 16, 8, 8]];

export const sqrtCases: readonly Case[] = [
  ...shapes.map((shape): Case => ({ name: `[${shape}]`, build: (r) => sqrt(r.positive(shape)) })),
  {
    name: "0, small and large",
    build: (r) => sqrt(r.given([0, 1e-30, 1e-5, 1, 1e30], [5])),
  },
];

export const reluCases: readonly Case[] = [
  ...shapes.map((shape): Case => ({ name: `[${shape}]`, build: (r) => relu(r.values(shape)) })),
  { name: "around 0", build: (r) => relu(r.given([0, -0, 1e-30, -1e-30, 5, -5], [6])) },
];

export const reluGradCases: readonly Case[] = [
  ...shapes.map(
    (shape): Case => ({
      name: `[${shape}]`,
      build: (r) => reluGrad(r.values(shape), r.values(shape)),
    }),
  ),
  {
    name: "no gradient at 0",
    build: (r) => reluGrad(r.values([5]), r.given([0, -0, 1, -1, 1e-30], [5])),
  },
];
