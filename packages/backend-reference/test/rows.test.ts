// Rows that are taken from what was joined from parts, and rows that stand where they are.

import {
  type Builder,
  joinRows,
  multiply,
  type RowRange,
  rows,
  type Tensor,
} from "@fewnorm/tensor";
import test from "tape";
import { evaluate } from "./evaluate.ts";

const ring = (base: number, modulo: number, offset: number, count: number): RowRange => {
  return { base, modulo, offset, count };
};

/** The rows of the range, from this start on. */
const taken = (x: readonly number[], { base, modulo, offset, count }: RowRange, start: number) =>
  Array.from({ length: count }, (_, i) => x[base + ((start + offset + i) % modulo)]);

const x = [1, 2, 3, 4, 5, 6];
const starts = { start: [4, 2], other: [5, 0] };
// Two rings of three rows, each of one row and the two after it.
const places = [ring(0, 3, 0, 1), ring(0, 3, 1, 2), ring(3, 3, 0, 1), ring(3, 3, 1, 2)];

test("of what was joined a part is itself, and all other rows are what they are in the whole", async (t) => {
  const takes: Record<string, [RowRange, start: keyof typeof starts, index: number]> = {
    ...Object.fromEntries(places.map((range, i) => [`part ${i}`, [range, "start", 0]])),
    "another start": [ring(0, 3, 0, 1), "other", 0],
    "another index": [ring(0, 3, 0, 1), "start", 1],
    "another offset": [ring(0, 3, 2, 1), "start", 0],
    "fewer rows": [ring(0, 3, 1, 1), "start", 0],
    "a larger ring": [ring(0, 4, 0, 1), "start", 0],
  };
  const body = (builder: Builder) => {
    const whole = builder.input("x", [6]);
    const vectors = {
      start: builder.input("start", [2], "int32"),
      other: builder.input("other", [2], "int32"),
    };
    const { start } = vectors;
    const joined = joinRows(
      places.map((range, i) => {
        const part = multiply(rows(whole, start, { range }), 10 ** (i + 1));
        return { part, start, range };
      }),
    );
    const found = Object.entries(takes).map(([name, [range, vector, index]]): [string, Tensor] => [
      name,
      rows(joined, vectors[vector], { range, index }),
    ]);
    return { joined, ...Object.fromEntries(found) };
  };
  const { values, graph } = await evaluate(body, { x, ...starts });
  // Rows 1, 2 and 0 are the first ring's, and rows 4, 5 and 3 the second's.
  const joined = [100, 20, 300, 40000, 5000, 60000];
  t.deepEqual(values.joined, joined);
  for (const [name, [range, vector, index]] of Object.entries(takes)) {
    const start = starts[vector][index] ?? 0;
    t.deepEqual(values[name], taken(joined, range, start), name);
  }
  const count = graph.nodes.filter(({ op }) => op === "rows").length;
  t.equal(count, 4 + 5, "for the parts there is nothing to do");
});

test("all rows from the first on are the tensor itself, and others are not", async (t) => {
  const takes: [RowRange, start: number][] = [
    [ring(0, 6, 0, 6), 0],
    [ring(0, 6, 2, 6), 0],
    [ring(0, 6, 0, 6), 1],
    [ring(0, 6, 0, 5), 0],
    [ring(1, 5, 0, 5), 0],
  ];
  const body = (builder: Builder) => {
    const whole = builder.input("x", [6]);
    const found = takes.map(([range, start], i) => {
      const part = rows(whole, builder.constant(start, [1], "int32"), { range });
      t.equal(part === whole, i === 0, `${JSON.stringify(range)} from ${start}`);
      return [i, multiply(part, 1)];
    });
    return Object.fromEntries(found);
  };
  const { values } = await evaluate(body, { x });
  for (const [i, [range, start]] of takes.entries()) {
    t.deepEqual(values[i], taken(x, range, start));
  }
});
