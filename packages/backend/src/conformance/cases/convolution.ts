// Cases of the convolution and its two gradients: one list of geometries for all three.

import {
  type Conv2dOptions,
  conv2d,
  convolvedShape,
  pair,
  type Shape,
  type Tensor,
} from "@fewnorm/tensor";
import type { Case, Recorder } from "../recording.ts";

interface Geometry {
  readonly x: Shape;
  readonly w: Shape;
  readonly stride?: number | readonly [number, number];
  readonly padding?: number | readonly [number, number];
  readonly groups?: number;
}

const geometries: readonly Geometry[] = [
  // 1×1
  { x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
  { x: [2, 17, 5, 3], w: [4, 17, 1, 1] },
  { x: [2, 16, 8, 8], w: [32, 16, 1, 1], stride: 2 },
  { x: [3, 4, 7, 7], w: [3, 4, 1, 1], stride: 2 },
  // 3×3
  { x: [2, 3, 9, 7], w: [16, 3, 3, 3], padding: 1 },
  { x: [2, 16, 8, 8], w: [16, 16, 3, 3], padding: 1 },
  { x: [2, 16, 8, 8], w: [32, 16, 3, 3], padding: 1, stride: 2 },
  { x: [2, 16, 9, 9], w: [17, 16, 3, 3], padding: 1, stride: 2 },
  { x: [3, 1, 5, 6], w: [4, 1, 3, 3] },
  { x: [1, 3, 8, 8], w: [1, 3, 3, 3], stride: 2 },
  { x: [1, 4, 10, 10], w: [3, 4, 3, 3], stride: 3, padding: 1 },
  { x: [1, 4, 4, 31], w: [5, 4, 3, 3], padding: 1 },
  { x: [1, 5, 3, 33], w: [4, 5, 3, 3], padding: 1 },
  { x: [1, 8, 32, 32], w: [8, 8, 3, 3], padding: 1 },
  { x: [5, 33, 4, 4], w: [9, 33, 3, 3], padding: 1 },
  // Large enough for the algorithms that a backend keeps for large convolutions, such as Winograd's
  { x: [2, 16, 32, 32], w: [16, 16, 3, 3], padding: 1 },
  { x: [3, 32, 16, 16], w: [32, 32, 3, 3], padding: 1 },
  { x: [2, 64, 8, 8], w: [64, 64, 3, 3], padding: 1 },
  { x: [1, 96, 4, 4], w: [96, 96, 3, 3], padding: 1 },
  { x: [2, 33, 15, 13], w: [47, 33, 3, 3], padding: 1 },
  { x: [2, 32, 14, 17], w: [32, 32, 3, 3] },
  { x: [2, 32, 10, 11], w: [32, 32, 3, 3], padding: [2, 0] },
  // Larger kernels
  { x: [2, 4, 7, 5], w: [3, 4, 5, 5], padding: 2 },
  { x: [1, 3, 11, 8], w: [4, 3, 5, 5], stride: 2, padding: 1 },
  { x: [1, 3, 13, 11], w: [17, 3, 7, 7], stride: 2, padding: 3 },
  { x: [2, 1, 7, 7], w: [4, 1, 7, 7] },
  // Kernels, strides and paddings that differ in the two directions
  { x: [2, 3, 6, 9], w: [4, 3, 1, 3], padding: [0, 1] },
  { x: [2, 3, 6, 9], w: [4, 3, 5, 1], padding: [2, 0] },
  { x: [2, 4, 9, 8], w: [3, 4, 3, 3], stride: [2, 1], padding: [1, 0] },
  { x: [2, 4, 8, 9], w: [3, 4, 3, 3], stride: [1, 2], padding: [0, 1] },
  { x: [1, 3, 7, 10], w: [4, 3, 3, 5], stride: [2, 3], padding: [0, 2] },
  // Maps no larger than the kernel, and padding beyond it
  { x: [4, 16, 1, 1], w: [16, 16, 3, 3], padding: 1 },
  { x: [1, 17, 2, 2], w: [3, 17, 3, 3], padding: 1 },
  { x: [2, 3, 2, 2], w: [4, 3, 7, 7], padding: 3 },
  { x: [2, 3, 3, 3], w: [4, 3, 5, 5], padding: 1 },
  { x: [1, 2, 3, 3], w: [3, 2, 3, 3], padding: 3 },
  { x: [1, 2, 4, 1], w: [3, 2, 3, 3], stride: 2, padding: 2 },
  // Groups and depthwise
  { x: [2, 4, 6, 5], w: [6, 2, 3, 3], padding: 1, groups: 2 },
  { x: [2, 3, 5, 5], w: [3, 1, 3, 3], padding: 1, groups: 3 },
  { x: [2, 16, 8, 8], w: [16, 1, 3, 3], padding: 1, groups: 16 },
  { x: [1, 17, 7, 7], w: [17, 1, 3, 3], stride: 2, padding: 1, groups: 17 },
  { x: [2, 4, 5, 5], w: [8, 1, 5, 5], padding: 2, groups: 4 },
  { x: [2, 32, 4, 4], w: [16, 8, 1, 1], groups: 4 },
];

const describe = ({ x, w, stride = 1, padding = 0, groups = 1 }: Geometry): string =>
  `[${x}] * [${w}] stride ${stride} padding ${padding} groups ${groups}`;

const attributesOf = ({ stride = 1, padding = 0, groups = 1 }: Geometry) => ({
  stride: pair(stride),
  padding: pair(padding),
  groups,
});

/** Deviation 1/√k keeps deep sums near 1. */
function weight(r: Recorder, shape: Shape): Tensor {
  const [, i = 1, kh = 1, kw = 1] = shape;
  return r.values(shape, { deviation: 1 / Math.sqrt(i * kh * kw) });
}

function withEpilogue(geometry: Geometry, bias: boolean, residual: boolean, relu: boolean): Case {
  const epilogue = [bias && "bias", residual && "residual", relu && "relu"].filter(Boolean);
  return {
    name: `${describe(geometry)} ${epilogue.join(" + ")}`,
    build(r) {
      const shape = convolvedShape(geometry.x, geometry.w, geometry);
      const options: Conv2dOptions = {
        ...attributesOf(geometry),
        bias: bias ? r.values([shape[1] as number]) : undefined,
        residual: residual ? r.values(shape) : undefined,
        relu,
      };
      return conv2d(r.values(geometry.x), weight(r, geometry.w), options);
    },
  };
}

const epilogues = [1, 2, 3, 4, 5, 6, 7];
const withEpilogues = [
  { x: [2, 3, 9, 7], w: [16, 3, 3, 3], padding: 1 },
  { x: [2, 16, 7, 7], w: [17, 16, 3, 3], padding: 1, stride: 2 },
  { x: [3, 17, 4, 3], w: [4, 17, 1, 1] },
  { x: [2, 4, 5, 5], w: [4, 1, 3, 3], padding: 1, groups: 4 },
  { x: [2, 32, 11, 10], w: [33, 32, 3, 3], padding: 1 },
] as const;

export const conv2dCases: readonly Case[] = [
  ...geometries.map((geometry): Case => {
    return {
      name: describe(geometry),
      build: (r) => conv2d(r.values(geometry.x), weight(r, geometry.w), attributesOf(geometry)),
    };
  }),
  ...withEpilogues.flatMap((geometry) =>
    epilogues.map((bits) =>
      withEpilogue(geometry, (bits & 1) !== 0, (bits & 2) !== 0, (bits & 4) !== 0),
    ),
  ),
  {
    name: "a tensor convolved with itself, its own residual",
    build(r) {
      const x = r.values([3, 3, 3, 3]);
      return conv2d(x, x, { padding: 1, residual: x });
    },
  },
];

export const conv2dInputGradCases: readonly Case[] = geometries.map((geometry): Case => {
  return {
    name: describe(geometry),
    build(r) {
      const { x, w } = geometry;
      const g = r.values(convolvedShape(x, w, geometry));
      const attributes = { ...attributesOf(geometry), shape: x };
      return r.builder.append("conv2dInputGrad", [g, weight(r, w)], attributes);
    },
  };
});

export const conv2dWeightGradCases: readonly Case[] = geometries.map((geometry): Case => {
  return {
    name: describe(geometry),
    build(r) {
      const { x, w } = geometry;
      const g = r.values(convolvedShape(x, w, geometry));
      const attributes = { ...attributesOf(geometry), shape: w };
      return r.builder.append("conv2dWeightGrad", [r.values(x), g], attributes);
    },
  };
});
