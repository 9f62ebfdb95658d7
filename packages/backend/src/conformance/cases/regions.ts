// Cases of cyclic row ranges and of windows: starts that wrap, are negative or lie beyond, and windows
// that hang over each border.

import {
  addCrop,
  addRows,
  crop,
  joinRows,
  type RowRange,
  rows,
  type Shape,
  type WindowAttributes,
} from "@fewnorm/tensor";
import type { Case, Recorder } from "../recording.ts";

const ranges: readonly { total: number; range: RowRange; start: number }[] = [
  { total: 1, range: { base: 0, modulo: 1, offset: 0, count: 1 }, start: 0 },
  { total: 8, range: { base: 0, modulo: 8, offset: 0, count: 3 }, start: 0 },
  { total: 8, range: { base: 0, modulo: 8, offset: 0, count: 3 }, start: 5 },
  { total: 8, range: { base: 0, modulo: 8, offset: 0, count: 3 }, start: 6 },
  { total: 8, range: { base: 0, modulo: 8, offset: 3, count: 5 }, start: 7 },
  { total: 8, range: { base: 0, modulo: 8, offset: 3, count: 5 }, start: 4 },
  { total: 8, range: { base: 0, modulo: 8, offset: 0, count: 8 }, start: 3 },
  { total: 9, range: { base: 2, modulo: 7, offset: 0, count: 4 }, start: 5 },
  { total: 9, range: { base: 2, modulo: 5, offset: 1, count: 2 }, start: 3 },
  { total: 9, range: { base: 2, modulo: 1, offset: 0, count: 1 }, start: 4 },
  // Starts are taken modulo, in the mathematical sense.
  { total: 8, range: { base: 0, modulo: 8, offset: 0, count: 3 }, start: -1 },
  { total: 8, range: { base: 1, modulo: 7, offset: 2, count: 5 }, start: -23 },
  { total: 8, range: { base: 0, modulo: 8, offset: 3, count: 5 }, start: 8 },
  { total: 8, range: { base: 1, modulo: 7, offset: 9, count: 6 }, start: 100 },
  { total: 8, range: { base: 1, modulo: 7, offset: 2, count: 3 }, start: 2 ** 31 - 1 },
  { total: 8, range: { base: 1, modulo: 7, offset: 5, count: 4 }, start: -(2 ** 31) },
];

/** What follows the rows: vectors, matrices, maps. */
const rests: readonly Shape[] = [[], [1], [17], [3, 5, 2], [16, 4, 4]];

/** A start vector with the start somewhere in it. */
function startAt(r: Recorder, start: number, index: number) {
  const values = [91, -5, 17, 2];
  values[index] = start;
  return r.integers(values);
}

const regionCases = (
  build: (
    r: Recorder,
    shape: Shape,
    range: RowRange,
    start: number,
    index: number,
  ) => ReturnType<Case["build"]>,
): readonly Case[] =>
  ranges.flatMap(({ total, range, start }, i) =>
    rests.map((rest): Case => {
      return {
        name: `${JSON.stringify({ shape: [total, ...rest], ...range })} start ${start}`,
        build: (r) => build(r, [total, ...rest], range, start, i % 4),
      };
    }),
  );

export const rowsCases: readonly Case[] = [
  ...regionCases((r, shape, range, start, index) =>
    rows(r.values(shape), startAt(r, start, index), { range, index }),
  ),
  {
    name: "int32 rows, as of labels",
    build(r) {
      const range = { base: 0, modulo: 5, offset: 1, count: 3 };
      return rows(r.integers([10, 11, 12, 13, 14]), r.integers([3]), { range });
    },
  },
];

export const addRowsCases: readonly Case[] = regionCases((r, shape, range, start, index) => {
  const part = r.values([range.count, ...shape.slice(1)]);
  return addRows(r.values(shape), part, startAt(r, start, index), { range, index });
});

const ring = (base: number, modulo: number, ...counts: readonly number[]): RowRange[] => {
  let offset = 0;
  return counts.map((count) => {
    const range = { base, modulo, offset, count };
    offset += count;
    return range;
  });
};

const joins: readonly { name: string; ranges: readonly RowRange[]; starts: readonly number[] }[] = [
  { name: "one part, turned", ranges: ring(0, 5, 5), starts: [3] },
  { name: "two parts", ranges: ring(0, 8, 3, 5), starts: [2, 2] },
  { name: "two parts, the first wraps", ranges: ring(0, 8, 3, 5), starts: [6, 6] },
  { name: "two parts, negative start", ranges: ring(0, 8, 4, 4), starts: [-3, -3] },
  { name: "two parts, start beyond", ranges: ring(0, 7, 1, 6), starts: [700, 700] },
  { name: "three parts", ranges: ring(0, 9, 2, 3, 4), starts: [5, 5, 5] },
  { name: "parts in another order", ranges: ring(0, 9, 2, 3, 4).toReversed(), starts: [5, 5, 5] },
  {
    name: "virtual rows in front, the others in two parts",
    ranges: [...ring(0, 2, 2), ...ring(2, 6, 2, 4)],
    starts: [0, 4, 4],
  },
  {
    name: "two rings that turn on their own",
    ranges: [...ring(3, 4, 4), ...ring(0, 3, 3)],
    starts: [1, 2],
  },
];

export const joinRowsCases: readonly Case[] = joins.flatMap(({ name, ranges, starts }) =>
  rests.map((rest): Case => {
    return {
      name: `${name}, rows of [${rest}]`,
      build(r) {
        const all = r.integers([77, ...starts]);
        return joinRows(
          ranges.map((range) => {
            // The ranges of one ring share their start.
            const index = 1 + ranges.findIndex(({ base }) => base === range.base);
            return { part: r.values([range.count, ...rest]), start: all, range, index };
          }),
        );
      },
    };
  }),
);

interface WindowCase {
  readonly name: string;
  readonly map: Shape;
  readonly window: Partial<WindowAttributes>;
  readonly origin: readonly number[];
}

const windows: readonly WindowCase[] = [
  { name: "inside", map: [2, 3, 8, 9], window: {}, origin: [2, 3] },
  { name: "top left corner", map: [2, 3, 8, 9], window: {}, origin: [0, 0] },
  { name: "bottom right corner", map: [2, 3, 8, 9], window: {}, origin: [5, 5] },
  { name: "over the top", map: [2, 3, 8, 9], window: {}, origin: [-1, 3] },
  { name: "over the left", map: [2, 3, 8, 9], window: {}, origin: [2, -3] },
  { name: "over the bottom", map: [2, 3, 8, 9], window: {}, origin: [7, 2] },
  { name: "over the right", map: [2, 3, 8, 9], window: {}, origin: [2, 7] },
  { name: "over two borders", map: [1, 17, 8, 9], window: {}, origin: [-2, 8] },
  { name: "wholly above", map: [1, 3, 8, 9], window: {}, origin: [-3, 2] },
  { name: "wholly outside, to the right", map: [1, 3, 8, 9], window: {}, origin: [2, 40] },
  {
    name: "as far outside as numbers go",
    map: [1, 3, 8, 9],
    window: { stride: [4, 2] },
    origin: [2 ** 30, 2 ** 31 - 1],
  },
  { name: "far above and to the left", map: [1, 3, 8, 9], window: {}, origin: [1, -(2 ** 31)] },
  { name: "all of the map", map: [2, 4, 5, 3], window: { height: 5, width: 3 }, origin: [0, 0] },
  {
    name: "more than the map",
    map: [2, 4, 2, 3],
    window: { height: 5, width: 6 },
    origin: [-1, -2],
  },
  { name: "one pixel", map: [3, 16, 4, 4], window: { height: 1, width: 1 }, origin: [3, 2] },
  { name: "1x1 map", map: [4, 16, 1, 1], window: { height: 3, width: 3 }, origin: [-1, -1] },
  {
    name: "halo of a stride 2 convolution",
    map: [2, 16, 8, 8],
    window: { height: 5, width: 9, stride: [2, 2], offset: [-1, -1] },
    origin: [0, 1],
  },
  {
    name: "stride and offset that differ",
    map: [2, 3, 9, 7],
    window: { stride: [3, 2], offset: [-2, 1] },
    origin: [2, 1],
  },
];

const defaults: WindowAttributes = {
  index: 1,
  height: 3,
  width: 4,
  stride: [1, 1],
  offset: [0, 0],
};

const windowCases = (
  build: (
    r: Recorder,
    map: Shape,
    window: WindowAttributes,
    origin: readonly number[],
  ) => ReturnType<Case["build"]>,
): readonly Case[] =>
  windows.map(({ name, map, window, origin }): Case => {
    return {
      name: `${name}: [${map}] at ${origin}`,
      build: (r) => build(r, map, { ...defaults, ...window }, [55, ...origin]),
    };
  });

export const cropCases = windowCases((r, map, window, origin) =>
  crop(r.values(map), r.integers(origin), window),
);

export const addCropCases = windowCases((r, map, window, origin) => {
  const [n = 1, c = 1] = map;
  const part = r.values([n, c, window.height, window.width]);
  return addCrop(r.values(map), part, r.integers(origin), window);
});
