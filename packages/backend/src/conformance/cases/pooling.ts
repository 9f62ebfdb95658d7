// Cases of max pooling and its gradient: one list of windows for both.

import { type MaxPoolOptions, maxPool, pair, type Shape } from "@fewnorm/tensor";
import type { Case, Recorder } from "../recording.ts";

const windows: readonly ({ readonly x: Shape } & MaxPoolOptions)[] = [
  { x: [1, 1, 2, 2], kernel: 2 },
  { x: [2, 16, 8, 8], kernel: 2 },
  { x: [3, 17, 7, 9], kernel: 2 },
  { x: [2, 64, 16, 16], kernel: 3, stride: 2, padding: 1 },
  { x: [5, 6, 9, 12], kernel: 3, stride: 2, padding: 1 },
  { x: [2, 5, 7, 6], kernel: 3, stride: 1, padding: 1 },
  { x: [2, 8, 5, 5], kernel: 3, stride: 3 },
  { x: [1, 4, 9, 8], kernel: [2, 3], stride: [1, 2], padding: [1, 2] },
  { x: [2, 3, 8, 6], kernel: 1, stride: 2 },
  { x: [4, 12, 4, 4], kernel: 4 },
  { x: [2, 7, 3, 2], kernel: 5, stride: 2, padding: 2 },
];

const named = (
  build: (window: (typeof windows)[number], r: Recorder) => ReturnType<Case["build"]>,
) =>
  windows.map((window): Case => {
    const { x, kernel, stride = kernel, padding = 0 } = window;
    return {
      name: `${pair(kernel).join("x")} windows of [${x}], stride ${stride}, padding ${padding}`,
      build: (r) => build(window, r),
    };
  });

const attributesOf = ({ kernel, stride = kernel, padding = 0 }: MaxPoolOptions) => ({
  kernel: pair(kernel),
  stride: pair(stride),
  padding: pair(padding),
});

export const maxPoolCases: readonly Case[] = [
  ...named((window, r) => maxPool(r.values(window.x), attributesOf(window))),
  {
    name: "of values below zero, next to padding",
    build: (r) => maxPool(r.values([2, 3, 4, 5], { offset: -9 }), { kernel: 3, padding: 1 }),
  },
];

export const maxPoolGradCases: readonly Case[] = [
  ...named((window, r) => {
    const { shape } = maxPool(r.values(window.x), attributesOf(window));
    const operands = [r.values(shape), r.values(window.x)];
    return r.builder.append("maxPoolGrad", operands, attributesOf(window));
  }),
  {
    name: "of equal values: the first takes it",
    build(r) {
      const x = r.given([1, 1, 0, 1, 1, 2, 2, 0, 2, 2, 3, -0, 0, 3, 3, 0], [1, 1, 4, 4]);
      const attributes = attributesOf({ kernel: 2, stride: 1 });
      return r.builder.append("maxPoolGrad", [r.values([1, 1, 3, 3]), x], attributes);
    },
  },
];
