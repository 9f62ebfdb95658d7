// The conformance suite that every strategy passes. It is handed `test`, tape's or one like it.
import { checkMethod, checkOptions, foldIn, type Key, key as keyOf } from "@fewnorm/tensor";
import { checkOrigin, originFits } from "./check-strategy.ts";
import { drawOrigins } from "./draw-origins.ts";
import type { Mixture } from "./mixture.ts";
import { describeSize, planExtent } from "./plan.ts";
import type { Extent, MapShape, Origin, Strategy } from "./strategy.ts";
import { looksUniform } from "./uniformity.ts";
import { virtualInputConformance } from "./virtual-conformance.ts";

/** The assertions the suite uses. */
export interface TestContext {
  ok(value: unknown, message?: string): void;
  equal(actual: unknown, expected: unknown, message?: string): void;
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  end(): void;
}

/** Declares a test, like tape's `test`. */
export type TestFunction = (name: string, body: (t: TestContext) => void) => unknown;

/** Options of {@link strategyConformance}. */
export interface ConformanceOptions {
  /** Maps to try besides the usual ones, for strategies that refuse most of those. Rows are ignored by strategies with virtual rows. */
  readonly shapes?: readonly MapShape[];
  /** Maps the strategy has to refuse, besides one image of 1×1, which no strategy can sample. */
  readonly refuses?: readonly MapShape[];
  /** The origin is the same at all layers and steps, by intention. */
  readonly fixedOrigin?: boolean;
  /** The virtual images are the same at all steps, by intention. */
  readonly fixedInput?: boolean;
}

const usualSides = [
  [128, 32, 32],
  [128, 16, 16],
  [128, 8, 8],
  [128, 4, 4],
  [128, 1, 1],
  [64, 7, 5],
  [33, 14, 14],
  [8, 1, 6],
  [5, 3, 9],
  [2, 2, 2],
  [1, 8, 8],
] as const;
const draws = 8192;
const mostCells = draws / 16;

/**
 * Declares the tests that a strategy has to pass:
 * - its extents are whole numbers within the maps, with 2 values a channel or more, and depend on
 *   nothing but the shape; what it refuses, it refuses with a RangeError that says its name and sizes;
 * - its origins are in range over many shapes, uniform (8,192 draws at a fixed key; a correct strategy
 *   with other random numbers would fail one comparison by chance with a probability of 1e-6),
 *   the same for the same key, and drawn anew for every layer and step;
 * - its virtual images, if any, are standardized, and the same for the same key.
 *
 * @param test tape's `test`, or one like it.
 * @throws TypeError for what is no strategy, and for options that there are not.
 */
export function strategyConformance(
  test: TestFunction,
  strategy: Strategy,
  options: ConformanceOptions = {},
): void {
  if (Array.isArray((strategy as Partial<Mixture> | undefined)?.parts)) {
    throw new TypeError(
      `strategyConformance: ${strategy.name} is a mixture; test the strategy of each of its parts`,
    );
  }
  // The tests tell what else is wrong with one.
  checkMethod(
    "strategyConformance",
    "strategy",
    strategy,
    "origin",
    "one, such as batchSampling({ images: 4 })",
  );
  checkOptions("strategyConformance", options, {
    shapes: "array",
    refuses: "array",
    fixedOrigin: "boolean",
    fixedInput: "boolean",
  });
  const { name } = strategy;
  const { accepted, refused } = tryShapes(strategy, options.shapes ?? []);

  test(`${name}: has a name and works for some maps`, (t) => {
    t.ok(
      typeof name === "string" && name.length > 0 && !/[\s+@]/.test(name),
      "the name has no space, + or @, which join names",
    );
    const why = refused.map(({ error }) => (error as Error).message)[0];
    const of = accepted.length + refused.length;
    t.ok(
      accepted.length > 0,
      `of ${of} maps tried ${accepted.length} can be sampled${why ? `; one cannot: ${why}` : ""}`,
    );
    t.end();
  });
  // Everything else would fail for the same reason.
  if (accepted.length === 0) return;

  test(`${name}: extents are functions of the shape`, (t) => {
    for (const { shape, extent } of accepted) {
      strategy.origin(extent, shape, keyOf(1));
      t.deepEqual(planExtent("again", strategy, shape), extent, `out of ${describeSize(shape)}`);
    }
    t.end();
  });

  test(`${name}: refuses what cannot work`, (t) => {
    for (const { shape, error } of refused) t.ok(isClear(error, name), messageOf(error, shape));
    const impossible = strategy.virtualRows > 1 ? [] : [{ rows: 1, height: 1, width: 1 }];
    for (const shape of [...impossible, ...(options.refuses ?? [])]) {
      const error = attempt(() => planExtent("layer", strategy, shape)).error;
      t.ok(isClear(error, name), messageOf(error, shape));
    }
    t.end();
  });

  test(`${name}: origins are in range`, (t) => {
    for (const { shape, extent } of accepted) {
      const error = attempt(() => {
        for (const origin of drawMany(strategy, extent, shape, keyOf(2), 256)) {
          checkOrigin(`out of ${describeSize(shape)}`, name, origin, extent, shape);
        }
      }).error;
      const message = error instanceof Error ? error.message : `out of ${describeSize(shape)}`;
      t.ok(error === undefined, message);
    }
    t.end();
  });

  if (options.fixedOrigin) fixedOriginTests(test, strategy, accepted);
  else freeOriginTests(test, strategy, accepted);
  if (strategy.virtualRows > 0) {
    virtualInputConformance(test, strategy, options.fixedInput ?? false);
  }
}

interface Accepted {
  readonly shape: MapShape;
  readonly extent: Extent;
}

function fixedOriginTests(test: TestFunction, strategy: Strategy, accepted: readonly Accepted[]) {
  test(`${strategy.name}: the origin is the same for every key`, (t) => {
    for (const { shape, extent } of accepted) {
      const origins = drawMany(strategy, extent, shape, keyOf(3), 64);
      t.equal(new Set(origins.map(textOf)).size, 1, `out of ${describeSize(shape)}`);
    }
    t.end();
  });
}

function freeOriginTests(test: TestFunction, strategy: Strategy, accepted: readonly Accepted[]) {
  const { name } = strategy;
  // The maps with most room to move; with none, the strategy should have said fixedOrigin.
  const roomiest = accepted.reduce<Accepted | undefined>(
    (best, one) => (best && positions(best) >= positions(one) ? best : one),
    undefined,
  );

  test(`${name}: origins are uniform`, (t) => {
    for (const { shape, extent } of accepted) {
      const [rows, tops, lefts] = freedom(extent, shape);
      const origins = drawMany(strategy, extent, shape, keyOf(4), draws);
      if (!origins.every((origin) => originFits(origin, extent, shape))) {
        t.ok(false, `not all are in range out of ${describeSize(shape)}`);
        continue;
      }
      const even = (cells: number, cellOf: (origin: Origin) => number) => {
        const counts = new Uint32Array(cells);
        for (const origin of origins) counts[cellOf(origin)]!++;
        return looksUniform(counts);
      };
      const what = `equally often out of ${describeSize(shape)}`;
      // Where all rows are sampled, it does not matter which one is called the first.
      if (rows > 1 && rows <= mostCells)
        t.ok(
          even(rows, ({ row }) => row),
          `rows ${what}`,
        );
      if (tops > 1 && tops <= mostCells)
        t.ok(
          even(tops, ({ top }) => top),
          `tops ${what}`,
        );
      if (lefts > 1 && lefts <= mostCells)
        t.ok(
          even(lefts, ({ left }) => left),
          `lefts ${what}`,
        );
      const cells = rows * tops * lefts;
      if (cells > Math.max(rows, tops, lefts) && cells <= mostCells) {
        const cellOf = ({ row, top, left }: Origin) =>
          ((rows > 1 ? row : 0) * tops + top) * lefts + left;
        t.ok(even(cells, cellOf), `rows, tops and lefts together ${what}`);
      }
    }
    t.end();
  });

  test(`${name}: the same key draws the same, every layer and step its own`, (t) => {
    if (!roomiest || positions(roomiest) === 1) {
      t.ok(false, "no map leaves room for a draw; is the origin fixed? say fixedOrigin: true");
      return t.end();
    }
    const layer = { parts: [{ strategy, ...roomiest }] };
    const stepKeys = Array.from({ length: 64 }, (_, step) => foldIn(keyOf(5), step));
    const drawn = () => stepKeys.map((key) => drawOrigins(Array(16).fill(layer), key));
    const { value: steps, error } = attempt(drawn);
    if (!steps) {
      t.ok(false, error instanceof Error ? error.message : String(error));
      return t.end();
    }
    const again = drawn();
    t.ok(
      steps.every((step, s) => step.join() === again[s]?.join()),
      "same key, same draw: the key is all that it depends on",
    );
    // Two columns of uniform draws are equal with a probability of at most 2^-64 · 120 pairs.
    const columns = Array.from({ length: 16 }, (_, l) =>
      steps.map((step) => step.slice(3 * l, 3 * l + 3).join()).join(" "),
    );
    t.equal(new Set(columns).size, 16, "no two layers draw the same at all steps");
    // Two steps are equal with a probability of at most 2^-16; neighbours must not be so always.
    const repeated = steps.filter((step, s) => s > 0 && step.join() === steps[s - 1]?.join());
    t.ok(repeated.length < 8, "steps draw anew");
    t.end();
  });
}

/** How many different rows, tops and lefts a block can have; one row where all are sampled. */
function freedom(extent: Extent, shape: MapShape): [number, number, number] {
  return [
    extent.rows === shape.rows ? 1 : shape.rows,
    shape.height - extent.height + 1,
    shape.width - extent.width + 1,
  ];
}

function positions({ extent, shape }: Accepted): number {
  return freedom(extent, shape).reduce((product, count) => product * count, 1);
}

function drawMany(strategy: Strategy, extent: Extent, shape: MapShape, key: Key, count: number) {
  const frozen = [Object.freeze({ ...extent }), Object.freeze({ ...shape })] as const;
  return Array.from({ length: count }, (_, i) =>
    strategy.origin(frozen[0], frozen[1], Object.freeze(foldIn(key, i))),
  );
}

function textOf({ row, top, left }: Origin): string {
  return `${row} ${top} ${left}`;
}

function tryShapes(strategy: Strategy, more: readonly MapShape[]) {
  const usual = usualSides.map(([rows, height, width]) => ({ rows, height, width }));
  const accepted: Accepted[] = [];
  const refused: { shape: MapShape; error: unknown }[] = [];
  for (const given of [...usual, ...more]) {
    const rows = strategy.virtualRows || given.rows;
    const shape = Object.freeze({ ...given, rows });
    const { value: extent, error } = attempt(() => planExtent("layer", strategy, shape));
    if (extent) accepted.push({ shape, extent });
    else refused.push({ shape, error });
  }
  return { accepted, refused };
}

function attempt<T>(action: () => T): { value?: T; error?: unknown } {
  try {
    return { value: action() };
  } catch (error) {
    return { error };
  }
}

function isClear(error: unknown, name: string): boolean {
  return (
    error instanceof RangeError &&
    error.message.includes(`layer: ${name}: `) &&
    /\d/.test(error.message)
  );
}

function messageOf(error: unknown, shape: MapShape): string {
  return error instanceof Error
    ? `${error.name} with the strategy's name and sizes: ${error.message}`
    : `refuses ${describeSize(shape)}`;
}
