// The suite has to catch what it is there to catch.
import {
  type ConformanceOptions,
  type Extent,
  type MapShape,
  type Strategy,
  strategyConformance,
  type VirtualShape,
} from "@fewnorm/sampling";
import { foldIn, type Key, key, normal, randomInteger } from "@fewnorm/tensor";
import test from "tape";

/** The names of the tests that fail for a strategy, without the strategy's name. */
function failures(strategy: Strategy, options?: ConformanceOptions): string[] {
  const failed = new Set<string>();
  strategyConformance(
    (name, body) => {
      const check = (passed: boolean) => {
        if (!passed) failed.add(name.replace(`${strategy.name}: `, ""));
      };
      try {
        body({
          ok: (value) => check(Boolean(value)),
          equal: (actual, expected) => check(actual === expected),
          deepEqual: (actual, expected) =>
            check(JSON.stringify(actual) === JSON.stringify(expected)),
          end() {},
        });
      } catch {
        check(false);
      }
    },
    strategy,
    options,
  );
  return [...failed];
}

const good: Strategy = {
  name: "half",
  virtualRows: 0,
  extent: (shape) => ({ ...shape, rows: Math.ceil(shape.rows / 2) }),
  origin: (_, shape, key) => ({ row: randomInteger(key, shape.rows), top: 0, left: 0 }),
};
const noise = ({ rows, channels, height, width }: VirtualShape, key: Key) =>
  Float32Array.from(normal(key, rows * channels * height * width));
const virtual: Strategy = {
  name: "noise",
  virtualRows: 2,
  extent: (shape) => ({ ...shape }),
  origin: () => ({ row: 0, top: 0, left: 0 }),
  virtualInput: noise,
};
const standardized = "virtual images have mean 0 and deviation 1 in every channel";
const noiseWith = (change: (value: number, index: number) => number): Strategy => ({
  ...virtual,
  virtualInput: (shape, key) => noise(shape, key).map(change),
});

test("strategyConformance: passes what is right", (t) => {
  t.deepEqual(failures(good), []);
  t.deepEqual(failures(virtual, { fixedOrigin: true }), []);
  t.end();
});

test("strategyConformance: finds origins that are wrong", (t) => {
  const withOrigin = (origin: Strategy["origin"]) => failures({ ...good, origin });
  t.ok(
    withOrigin((_, { rows }, key) => ({
      row: randomInteger(key, rows) + 1,
      top: 0,
      left: 0,
    })).includes("origins are in range"),
    "one too far",
  );
  t.deepEqual(
    // A range that may not wrap samples the first and last rows less.
    withOrigin((extent, { rows }, key) => ({
      row: randomInteger(key, rows - extent.rows + 1),
      top: 0,
      left: 0,
    })),
    ["origins are uniform"],
    "no wrapping",
  );
  t.deepEqual(
    withOrigin(() => ({ row: 0, top: 0, left: 0 })),
    ["origins are uniform", "the same key draws the same, every layer and step its own"],
    "constant without saying so",
  );
  let calls = 0;
  t.deepEqual(
    withOrigin((_, { rows }) => ({ row: randomInteger(key(calls++), rows), top: 0, left: 0 })),
    ["the same key draws the same, every layer and step its own"],
    "not from the key",
  );
  t.deepEqual(
    failures(good, { fixedOrigin: true }),
    ["the origin is the same for every key"],
    "drawn where it should be fixed",
  );
  t.end();
});

test("strategyConformance: finds patches that are not drawn evenly", (t) => {
  const half = (length: number) => Math.ceil(length / 2);
  const patch = (tall: boolean, origin: Strategy["origin"]): Strategy => ({
    name: "patch",
    virtualRows: 0,
    extent: ({ rows, height, width }) => ({
      rows,
      height: tall ? height : half(height),
      width: half(width),
    }),
    origin,
  });
  const place = (extent: Extent, shape: MapShape, top: Key, left: Key) => ({
    row: 0,
    top: randomInteger(top, shape.height - extent.height + 1),
    left: randomInteger(left, shape.width - extent.width + 1),
  });
  const own = patch(false, (e, s, key) => place(e, s, foldIn(key, 0), foldIn(key, 1)));
  t.deepEqual(failures(own), []);
  // The places of a square map agree, and each side's are uniform all the same.
  const together = patch(false, (e, s, key) => place(e, s, key, key));
  t.deepEqual(failures(together), ["origins are uniform"], "top and left as one");
  const short = patch(true, ({ width }, shape, key) => ({
    row: 0,
    top: 0,
    left: randomInteger(key, Math.max(1, shape.width - width)),
  }));
  t.deepEqual(failures(short), ["origins are uniform"], "the last left is never drawn");
  t.end();
});

test("strategyConformance: finds extents that are wrong", (t) => {
  let grows = 1;
  t.ok(
    failures({
      ...good,
      extent: (shape) => ({ ...shape, rows: (grows++ % shape.rows) + 1 }),
    }).includes("extents are functions of the shape"),
    "an extent that changes",
  );
  const refusing = strategyThatThrows(new Error("half: no 1"));
  t.ok(failures(refusing).includes("refuses what cannot work"), "not a RangeError");
  const unclear = strategyThatThrows(new RangeError("no"));
  t.ok(failures(unclear).includes("refuses what cannot work"), "no name and no sizes");
  t.deepEqual(
    failures(good, { refuses: [{ rows: 4, height: 4, width: 4 }] }),
    ["refuses what cannot work"],
    "accepts what it should refuse",
  );
  t.end();
});

test("strategyConformance: finds virtual images that are wrong", (t) => {
  const of = (strategy: Strategy, fixedInput = false) =>
    failures(strategy, { fixedOrigin: true, fixedInput });
  t.deepEqual(of(noiseWith((value) => value + 0.1)), [standardized], "a mean of 0.1");
  t.deepEqual(of(noiseWith((value) => value * 1.1)), [standardized], "a deviation of 1.1");
  const last = (i: number) => Math.floor(i / (16 * 12)) % 3 === 2;
  t.deepEqual(of(noiseWith((value, i) => value + (last(i) ? 0.1 : 0))), [standardized], "in one");
  t.deepEqual(of(noiseWith((value, i) => (i % 7 ? value : Number.NaN))).length, 2, "NaN");
  const name = "virtual images have the right size and follow the key";
  t.deepEqual(of(virtual, true), [name], "fresh where it should be kept");
  const kept = (shape: VirtualShape) => noise(shape, key(1));
  t.ok(of({ ...virtual, virtualInput: kept }).includes(name), "kept where it should be fresh");
  t.deepEqual(of({ ...virtual, virtualInput: kept }, true), [], "kept, and said so");
  t.end();
});

function strategyThatThrows(error: Error): Strategy {
  return {
    ...good,
    extent(shape) {
      if (shape.rows < 8) throw error;
      return good.extent(shape);
    },
  };
}
