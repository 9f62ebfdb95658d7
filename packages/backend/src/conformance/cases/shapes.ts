// Cases of reshaping, reductions, static slices and the matrix product.

import { add, broadcast, matmul, pad, reshape, row, type Shape, slice, sum } from "@fewnorm/tensor";
import type { Case } from "../recording.ts";

export const reshapeCases: readonly Case[] = [
  ...(
    [
      [[6], [2, 3]],
      [[], [1, 1]],
      [[1], []],
      [
        [2, 3, 5, 7],
        [2, 105],
      ],
      [
        [4, 17],
        [4, 17, 1, 1],
      ],
    ] as const
  ).map(([from, to]): Case => {
    return { name: `[${from}] to [${to}]`, build: (r) => reshape(r.values(from), to) };
  }),
  { name: "int32", build: (r) => reshape(r.integers([1, 2, 3, 4, 5, 6]), [3, 2]) },
];

export const broadcastCases: readonly Case[] = (
  [
    [[], [3]],
    [[], [2, 3, 4, 5]],
    [[5], [3, 5]],
    [
      [4, 1],
      [4, 9],
    ],
    [
      [3, 1, 1],
      [2, 3, 5, 5],
    ],
    [
      [2, 17, 1, 1],
      [2, 17, 4, 3],
    ],
    [
      [1, 3, 1, 5],
      [2, 3, 4, 5],
    ],
    [[1], [1031]],
  ] as const
).map(([from, to]): Case => {
  return { name: `[${from}] to [${to}]`, build: (r) => broadcast(r.values(from), to) };
});

export const sumCases: readonly Case[] = (
  [
    [[1], [0]],
    [[7], [0]],
    [[4099], [0]],
    [[5, 3], [0]],
    [[5, 3], [1]],
    [
      [5, 3],
      [0, 1],
    ],
    [[128, 10], [0]],
    [[3, 129], [1]],
    [
      [2, 17, 5, 3],
      [0, 2, 3],
    ],
    [
      [4, 16, 8, 8],
      [0, 2, 3],
    ],
    [
      [4, 16, 8, 8],
      [2, 3],
    ],
    [
      [2, 3, 5, 7],
      [0, 1, 2, 3],
    ],
    [
      [16, 3, 3, 3],
      [1, 2, 3],
    ],
    [[2, 3, 5, 7], [1]],
    [
      [2, 3, 5, 7],
      [0, 2],
    ],
    [[2, 3, 5, 7], [3]],
  ] as const
).map(([shape, axes]): Case => {
  return { name: `[${shape}] over ${axes}`, build: (r) => sum(r.values(shape), axes) };
});

export const sliceCases: readonly Case[] = [
  ...(
    [
      { from: [7], start: [2], shape: [3] },
      { from: [7], start: [0], stride: [2], shape: [4] },
      { from: [7], start: [1], stride: [3], shape: [2] },
      { from: [2, 17], start: [1, 0], shape: [1, 17] },
      { from: [2, 3, 8, 8], start: [0, 0, 0, 0], stride: [1, 1, 2, 2], shape: [2, 3, 4, 4] },
      { from: [2, 3, 7, 9], start: [0, 1, 1, 0], stride: [1, 1, 2, 4], shape: [2, 2, 3, 3] },
      { from: [5, 16, 4, 4], start: [3, 0, 0, 0], shape: [2, 16, 4, 4] },
    ] as readonly { from: Shape; start: Shape; stride?: Shape; shape: Shape }[]
  ).map(({ from, ...options }): Case => {
    return {
      name: JSON.stringify({ from, ...options }),
      build: (r) => slice(r.values(from), options),
    };
  }),
  { name: "second row of a matrix, as a vector", build: (r) => row(r.values([2, 5]), 1) },
];

/** A slice of the padding's operand, and perhaps a use of it besides. */
function paddedSlice(name: string, also: boolean): Case {
  return {
    name,
    build: (r) => {
      const x = r.values([5, 16, 15, 15]);
      const part = slice(x, { start: [0, 1, 1, 0], stride: [1, 1, 2, 2], shape: [5, 15, 7, 8] });
      const y = pad(part, { before: [0, 8, 0, 1], shape: [5, 32, 7, 10] });
      return also ? add(y, broadcast(sum(part, [0, 1, 2, 3]), y.shape)) : y;
    },
  };
}

const padCasesBySize: readonly Case[] = (
  [
    { from: [3], before: [2], shape: [7] },
    { from: [4], before: [0], interior: [2], shape: [8] },
    { from: [1, 17], before: [1, 0], shape: [2, 17] },
    // A shortcut of option A: channels half in front and half behind.
    { from: [2, 16, 4, 4], before: [0, 8, 0, 0], shape: [2, 32, 4, 4] },
    { from: [2, 3, 4, 4], before: [0, 0, 0, 0], interior: [1, 1, 2, 2], shape: [2, 3, 8, 8] },
    { from: [2, 2, 3, 3], before: [0, 1, 1, 0], interior: [1, 1, 2, 4], shape: [2, 3, 7, 9] },
    { from: [2, 3, 5, 5], before: [1, 0, 4, 4], shape: [4, 3, 13, 13] },
    // Large enough to be divided between threads, by rows or not.
    { from: [2, 64, 8, 8], before: [0, 0, 1, 0], interior: [1, 1, 2, 2], shape: [2, 66, 16, 17] },
    { from: [1, 64, 9, 9], before: [0, 3, 0, 0], shape: [1, 67, 9, 10] },
    { from: [3, 64, 8, 8], before: [1, 0, 0, 0], interior: [2, 1, 1, 1], shape: [7, 64, 8, 8] },
    { from: [8, 1031], before: [0, 0], interior: [1, 2], shape: [8, 2062] },
    { from: [5, 1031], before: [0, 3], shape: [5, 1036] },
  ] as readonly { from: Shape; before: Shape; interior?: Shape; shape: Shape }[]
).map(({ from, ...options }): Case => {
  return { name: JSON.stringify({ from, ...options }), build: (r) => pad(r.values(from), options) };
});

export const padCases: readonly Case[] = [
  ...padCasesBySize,
  paddedSlice("of every other pixel", false),
  paddedSlice("of every other pixel, which are added up as well", true),
];

const products: readonly (readonly [m: number, k: number, n: number])[] = [
  [1, 1, 1],
  [1, 7, 1],
  [5, 1, 3],
  [3, 17, 4],
  [8, 64, 10],
  [17, 33, 31],
  [64, 16, 16],
];

export const matmulCases: readonly Case[] = products.flatMap(([m, k, n]) =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB): Case => {
      const a = transposeA ? [k, m] : [m, k];
      const b = transposeB ? [n, k] : [k, n];
      return {
        name: `[${a}]${transposeA ? "ᵀ" : ""} · [${b}]${transposeB ? "ᵀ" : ""}`,
        build: (r) => matmul(r.values(a), r.values(b), { transposeA, transposeB }),
      };
    }),
  ),
);
