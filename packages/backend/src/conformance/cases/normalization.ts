// Cases of moments, normalization with its gradients, and the loss.

import {
  moments,
  normalize,
  normalizeGradSums,
  type Shape,
  scaleChannels,
  softmaxCrossEntropy,
} from "@fewnorm/tensor";
import type { Case } from "../recording.ts";

const shapes: readonly Shape[] = [
  [1, 1],
  [2, 1],
  [5, 3],
  [128, 17],
  [33, 64],
  [1, 3, 2, 2],
  [2, 1, 1, 1],
  [4, 16, 1, 1],
  [3, 17, 5, 7],
  [4, 16, 8, 8],
  [2, 4, 32, 32],
  [1, 3, 9, 31],
];

const channels = (shape: Shape): Shape => [shape[1] as number];

export const momentsCases: readonly Case[] = [
  ...shapes.map((shape): Case => ({ name: `[${shape}]`, build: (r) => moments(r.values(shape)) })),
  ...shapes.map((shape): Case => {
    return {
      name: `[${shape}], mean 1000 x the deviation`,
      build: (r) => moments(r.values(shape, { offset: 1000 })),
    };
  }),
  {
    name: "mean -1000 x a small deviation",
    build: (r) => moments(r.values([8, 5, 6, 6], { offset: -10, deviation: 0.01 })),
  },
  {
    name: "constant channels have variance 0",
    build: (r) => moments(r.given(new Array(36).fill(7.25), [3, 3, 2, 2])),
  },
];

export const normalizeCases: readonly Case[] = [
  ...shapes.flatMap((shape) =>
    [0, 1, 2, 3].map((bits): Case => {
      const [residual, relu] = [(bits & 1) !== 0, (bits & 2) !== 0];
      return {
        name: `[${shape}]${residual ? " + residual" : ""}${relu ? " + relu" : ""}`,
        build(r) {
          const c = channels(shape);
          const options = { residual: residual ? r.values(shape) : undefined, relu };
          return normalize(r.values(shape), r.values(c), r.positive(c), r.values(c), options);
        },
      };
    }),
  ),
  {
    // The mean is subtracted first: x·scale + (shift − mean·scale) would lose three digits, but
    // stays within the tolerance's magnitudes, so the difference is made exact: x − mean = ±1.
    name: "an offset is subtracted before it is scaled",
    build(r) {
      const mean = r.given([4097, -8191], [2]);
      const x = r.given([4098, -8190, 4096, -8192], [2, 2]);
      return normalize(x, mean, r.given([1, 1], [2]), r.given([0, 0], [2]));
    },
  },
];

export const normalizeGradSumsCases: readonly Case[] = shapes.flatMap((shape) => [
  ...[0, 1000].map((offset): Case => {
    return {
      name: `[${shape}], offset ${offset}`,
      build(r) {
        const c = channels(shape);
        const x = r.values(shape, { offset });
        return normalizeGradSums(r.values(shape), x, r.values(c, { offset, deviation: 0.1 }));
      },
    };
  }),
  {
    // Backends may compute the two together.
    name: `[${shape}], of a gradient that is scaled, too`,
    build(r) {
      const [g, x] = [r.values(shape), r.values(shape)];
      const [scale, mean] = [r.values(channels(shape)), r.values(channels(shape))];
      const scaled = scaleChannels(g, scale);
      return { scaled, sums: normalizeGradSums(g, x, mean) };
    },
  },
]);

export const normalizeInputGradCases: readonly Case[] = shapes.map((shape): Case => {
  return {
    name: `[${shape}]`,
    build(r) {
      const vector = () => r.values(channels(shape));
      const images = [r.values(shape), r.values(shape)];
      const vectors = [vector(), vector(), vector(), vector()];
      return r.builder.append("normalizeInputGrad", [...images, ...vectors], {});
    },
  };
});

const logits: readonly { shape: readonly [number, number]; offset?: number; deviation?: number }[] =
  [
    { shape: [1, 1] },
    { shape: [1, 10] },
    { shape: [5, 3] },
    { shape: [128, 10] },
    { shape: [7, 100] },
    { shape: [9, 17], deviation: 30 },
    { shape: [9, 10], offset: 1000 },
    { shape: [9, 10], offset: -1000, deviation: 100 },
  ];

export const softmaxCrossEntropyCases: readonly Case[] = logits.map(
  ({ shape, ...options }): Case => {
    return {
      name: JSON.stringify({ shape, ...options }),
      build: (r) => softmaxCrossEntropy(r.values(shape, options), r.labels(...shape)),
    };
  },
);

export const softmaxCrossEntropyGradCases: readonly Case[] = logits.map(
  ({ shape, ...options }): Case => {
    return {
      name: JSON.stringify({ shape, ...options }),
      build(r) {
        const operands = [r.values(shape, options), r.labels(...shape), r.values([shape[0]])];
        return r.builder.append("softmaxCrossEntropyGrad", operands, {});
      },
    };
  },
);
