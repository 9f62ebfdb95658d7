// Gradients that arrive in parts: row ranges and windows in all combinations against a dense sum, and
// without zeros around them where ranges cover all rows.

import {
  add,
  addRows,
  type Builder,
  crop,
  customGradient,
  foldIn,
  type Graph,
  grad,
  key,
  multiply,
  normal,
  normalize,
  type RowRange,
  rows,
  sizeOf,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import test from "tape";
import { evaluate } from "./evaluate.ts";

const shape = [6, 2, 3, 3];
const rowSize = 18;

interface Contribution {
  readonly name: string;
  /** A part of x, to be multiplied by fixed numbers and summed. */
  take(x: Tensor, start: Tensor): Tensor;
  /** For each element of the part, the element of x that it is, or −1 for none. */
  positions(starts: readonly number[]): number[];
}

const modulo = (a: number, b: number): number => ((a % b) + b) % b;

function ofRows(name: string, range: RowRange, index: number): Contribution {
  return {
    name,
    take: (x, start) => rows(x, start, { range, index }),
    positions: (starts) =>
      Array.from({ length: range.count * rowSize }, (_, p) => {
        const i = Math.floor(p / rowSize) + range.offset + (starts[index] as number);
        return (range.base + modulo(i, range.modulo)) * rowSize + (p % rowSize);
      }),
  };
}

const window = { index: 2, height: 2, width: 3, stride: [1, 1], offset: [0, -1] } as const;

const ring = (offset: number, count: number, of = 6, base = 0): RowRange => {
  return { base, modulo: of, offset, count };
};

const contributions = {
  first: ofRows("first", ring(0, 2), 0),
  others: ofRows("others", ring(2, 4), 0),
  again: ofRows("others again", ring(2, 4), 0),
  otherStart: ofRows("of another start", ring(0, 2), 1),
  overlapping: ofRows("overlapping", ring(1, 3), 0),
  front: ofRows("in front", ring(0, 2, 2, 0), 1),
  back: ofRows("behind", ring(0, 4, 4, 2), 0),
  window: {
    name: "window",
    take: (x, start) => crop(x, start, window),
    positions: (starts) =>
      Array.from({ length: 6 * 2 * 2 * 3 }, (_, p) => {
        const row = (starts[2] as number) + (Math.floor(p / 3) % 2);
        const column = (starts[3] as number) - 1 + (p % 3);
        const inside = row >= 0 && row < 3 && column >= 0 && column < 3;
        return inside ? Math.floor(p / 6) * 9 + row * 3 + column : -1;
      }),
  },
  all: { name: "everything", take: (x) => x, positions: () => [...Array(6 * rowSize).keys()] },
} satisfies Readonly<Record<string, Contribution>>;

const weightsOf = (index: number, count: number): number[] =>
  Array.from(normal(foldIn(key(11), index), count));

/** ∂/∂x of Σ over the contributions of Σ weights·part, by the graph. */
function gradientOf(builder: Builder, taken: readonly Contribution[]): Tensor {
  const [x, start] = [builder.input("x", shape), builder.input("start", [4], "int32")];
  const terms = taken.map(({ take }, i) => {
    const part = take(x, start);
    const weights = weightsOf(i, sizeOf(part.shape));
    return sum(multiply(part, builder.constant(weights, part.shape)));
  });
  const [dx] = grad(
    terms.reduce((a, b) => builder.append("add", [a, b], {})),
    [x],
  );
  return dx;
}

/** The same, element by element. */
function denseGradient(taken: readonly Contribution[], starts: readonly number[]): Float64Array {
  const dx = new Float64Array(sizeOf(shape));
  for (const [i, { positions }] of taken.entries()) {
    const to = positions(starts);
    const weights = weightsOf(i, to.length);
    for (const [p, at] of to.entries()) if (at >= 0) dx[at]! += weights[p]!;
  }
  return dx;
}

const near = (a: readonly number[], b: Float64Array): boolean =>
  // Sums of at most nine numbers of size 1, in float64.
  a.length === b.length && a.every((value, i) => Math.abs(value - b[i]!) < 1e-14 * 16);

const all = Object.values(contributions) as readonly Contribution[];

test("every combination of contributions sums to what a dense computation gives", async (t) => {
  for (let bits = 1; bits < 2 ** all.length; bits++) {
    const taken = all.filter((_, i) => (bits >> i) & 1);
    const starts = [modulo(bits * 5, 11) - 3, modulo(bits * 3, 7), (bits % 3) - 1, (bits % 4) - 1];
    const { values } = await evaluate((builder) => ({ dx: gradientOf(builder, taken) }), {
      start: starts,
    });
    const same = near(values.dx ?? [], denseGradient(taken, starts));
    if (!same) t.fail(`${taken.map(({ name }) => name).join(" + ")} at ${starts}`);
  }
  t.pass(`${2 ** all.length - 1} combinations`);
});

const count = (graph: Graph, op: string): number =>
  graph.nodes.filter((node) => node.op === op).length;

async function graphOf(...taken: readonly Contribution[]): Promise<Graph> {
  const starts = [1, 0, 0, 0];
  return (await evaluate((b) => ({ dx: gradientOf(b, taken) }), { start: starts })).graph;
}

test("ranges that cover every row are joined without zeros around them", async (t) => {
  const { first, others, again, front, back, otherStart } = contributions;
  const complete = {
    "two ranges": [first, others],
    "the other way round": [others, first],
    "a range twice": [first, others, again],
    "two rings that cover all rows together": [front, back],
  };
  for (const [name, taken] of Object.entries(complete)) {
    const graph = await graphOf(...taken);
    t.equal(count(graph, "joinRows"), 1, `${name}: one join`);
    t.equal(count(graph, "addRows"), 0, `${name}: nothing is added to rows`);
  }
  const two = await graphOf(first, others, front, back);
  t.equal(count(two, "joinRows"), 2, "two covers: two joins");
  t.equal(count(two, "addRows"), 0, "two covers: nothing is added to rows");
  const rest = await graphOf(first, others, otherStart);
  t.equal(count(rest, "joinRows"), 1, "a cover and a rest: one join");
  t.equal(count(rest, "addRows"), 1, "a cover and a rest: the rest is added to it");
});

test("contributions are added to what is there already", async (t) => {
  const { all: everything, first, window: patch } = contributions;
  const graph = await graphOf(everything, first, patch);
  const zeros = graph.nodes.filter(
    (node) => node.op === "constant" && node.attributes.values === 0 && node.shape.length === 4,
  );
  t.equal(zeros.length, 0, "no map of zeros is made");
  t.deepEqual([count(graph, "addRows"), count(graph, "addCrop")], [1, 1], "each is added once");
});

test("contributions that are normalizations with means of their own are summed as they are", async (t) => {
  const body = (builder: Builder) => {
    const x = builder.input("x", [2, 1]);
    const [one, two, none] = [1, 2, 0].map((value) => builder.constant(value, [1])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    // As gradients: (g − 2)·1 and (x − 1)·2.
    const first = customGradient(multiply(x, 3), [x], (g) => [normalize(g, two, one, none)]);
    const second = customGradient(multiply(x, 5), [x], () => [normalize(x, one, two, none)]);
    const [dx] = grad(sum(multiply(add(first, second), 7)), [x]);
    return { dx };
  };
  const { values } = await evaluate(body, { x: [10, 20] });
  t.deepEqual(values.dx, [7 - 2 + 18, 7 - 2 + 38]);
});

test("and so are those that end in max(·, 0), or have something added", async (t) => {
  for (const [name, expected] of [
    ["relu", [0 + 2, 0 + 4]],
    ["residual", [-7 + 10 + 2, -7 + 20 + 4]],
  ] as const) {
    const body = (builder: Builder) => {
      const x = builder.input("x", [2, 1]);
      const [one, two, none] = [1, 2, 0].map((value) => builder.constant(value, [1])) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const ending = name === "relu" ? { relu: true } : { residual: multiply(x, 10) };
      const first = customGradient(multiply(x, 3), [x], (g) => [
        normalize(g, none, one, none, ending),
      ]);
      const second = customGradient(multiply(x, 5), [x], () => [normalize(x, none, two, none)]);
      const [dx] = grad(sum(multiply(add(first, second), -7)), [x]);
      return { dx };
    };
    t.deepEqual((await evaluate(body, { x: [1, 2] })).values.dx, expected, name);
  }
});

test("a cover whose part is itself a sum of parts", async (t) => {
  const [first, second] = [ring(0, 2), ring(2, 4)];
  const inner = { base: 0, modulo: 4, offset: 1, count: 2 };
  const body = (builder: Builder) => {
    const [x, start] = [builder.input("x", [6]), builder.input("start", [2], "int32")];
    const [a, b] = [rows(x, start, { range: first }), rows(x, start, { range: second })];
    const c = rows(b, start, { range: inner, index: 1 });
    const extended = addRows(b, multiply(c, 3), start, { range: inner, index: 1 });
    const loss = builder.append(
      "add",
      [sum(multiply(a, 10)), sum(multiply(extended, extended))],
      {},
    );
    const [dx] = grad(loss, [x]);
    return { dx };
  };
  const x = [1, 2, 3, 4, 5, 6];
  const { values } = await evaluate(body, { x, start: [5, 3] });
  // b is rows 1, 2, 3, 4, that is 2, 3, 4, 5; its rows 0 and 1 are taken four times: 2·16·b, else 2·b.
  t.deepEqual(values.dx, [10, 64, 96, 8, 10, 10]);
});

test("a gradient that reaches an operand as it is keeps what its parts were added to", async (t) => {
  const ends = {
    rows: (x: Tensor, start: Tensor) => rows(x, start, { range: ring(0, 2) }),
    crop: (x: Tensor, start: Tensor) => crop(x, start, window),
  };
  for (const [name, take] of Object.entries(ends)) {
    const body = (builder: Builder) => {
      const [x, start] = [builder.input("x", shape), builder.input("start", [4], "int32")];
      const moved = add(x, builder.constant(1, shape));
      const loss = add(sum(multiply(moved, 3)), sum(multiply(take(moved, start), 10)));
      const [dx] = grad(loss, [x]);
      return { dx };
    };
    const x = new Float64Array(sizeOf(shape));
    const { values } = await evaluate(body, { x, start: [5, 0, 1, 1] });
    const { positions } = name === "rows" ? contributions.first : contributions.window;
    const expected = x.map(() => 3);
    for (const at of positions([5, 0, 1, 1])) if (at >= 0) expected[at]! += 10;
    t.deepEqual(values.dx, [...expected], name);
  }
});

test("ranges whose starts are of different tensors are not joined", async (t) => {
  const body = (builder: Builder) => {
    const x = builder.input("x", [6]);
    const [one, other] = [builder.input("one", [1], "int32"), builder.input("other", [1], "int32")];
    const first = rows(x, one, { range: ring(0, 2) });
    const [same, others] = [ring(0, 2), ring(2, 4)].map((range) => rows(x, other, { range }));
    const terms = [first, same, others].map((part, i) => sum(multiply(part as Tensor, 10 ** i)));
    const [dx] = grad(
      terms.reduce((a, b) => add(a, b)),
      [x],
    );
    return { dx };
  };
  const { values } = await evaluate(body, { x: [1, 2, 3, 4, 5, 6], one: [1], other: [4] });
  t.deepEqual(values.dx, [100, 101, 101, 100, 10, 10]);
});
