import {
  drawOrigins,
  formatRatio,
  fullBatch,
  mixture,
  type Origin,
  parseCount,
  parseRatio,
  partsOf,
  planExtent,
  planParts,
  type Strategy,
} from "@fewnorm/sampling";
import { foldIn, key } from "@fewnorm/tensor";
import test from "tape";

const shape = { rows: 8, height: 4, width: 4 };
const strategy = (changes: Partial<Strategy>): Strategy => ({
  name: "own",
  virtualRows: 0,
  extent: () => ({ rows: 2, height: 3, width: 4 }),
  origin: (_extent, _shape, [a, b]) => ({ row: a % 8, top: b % 2, left: 0 }),
  ...changes,
});

test("mixture: names, parts and weights", (t) => {
  const parts = [{ strategy: strategy({ name: "a:1" }) }, { strategy: strategy({ name: "b:2" }) }];
  t.equal(mixture(parts).name, "a:1+b:2");
  t.equal(mixture(parts, "both").name, "both");
  t.equal(mixture(parts.map((part) => ({ ...part, weight: 3 }))).name, "3*a:1+3*b:2");
  t.deepEqual(partsOf(mixture(parts)), parts);
  const single = strategy({});
  t.deepEqual(partsOf(single), [{ strategy: single }]);
  t.throws(() => mixture([]), /RangeError: mixture: no parts/);
  const [first, second] = parts as [{ strategy: Strategy }, { strategy: Strategy }];
  t.throws(() => mixture([{ ...first, weight: 1 }, second]), /RangeError: .*1 of 2 parts/);
  for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => mixture([{ ...first, weight }]), /RangeError: mixture: the weight of a:1 is/);
  }
  t.end();
});

test("planParts: weights sum to 1, virtual rows have maps of their own", (t) => {
  const virtual = strategy({
    name: "virtual",
    virtualRows: 3,
    extent: (own) => own,
    virtualInput: () => new Float32Array(),
  });
  const parts = [{ strategy: virtual }, { strategy: strategy({}) }];
  const [first, second] = planParts("layer", mixture(parts), shape);
  t.deepEqual(first?.shape, { rows: 3, height: 4, width: 4 });
  t.deepEqual(second?.shape, shape);
  t.equal(first?.weight, 48 / 72, "48 values of 72");
  t.equal(second?.weight, 24 / 72);
  const weighted = mixture(parts.map((part, i) => ({ ...part, weight: i + 1 })));
  t.deepEqual(
    planParts("layer", weighted, shape).map(({ weight }) => weight),
    [1 / 3, 2 / 3],
  );
  t.end();
});

test("planExtent: says which layer, strategy and sizes cannot work", (t) => {
  const fails = (changes: Partial<Strategy>, message: RegExp, at = shape) =>
    t.throws(() => planExtent('norm: layer "bn1"', strategy(changes), at), message);
  const extents = [
    [{ rows: 9, height: 4, width: 4 }, /own: the sample's rows is 9, and the map has 8/],
    [{ rows: 8, height: 0, width: 4 }, /own: the sample's height is 0/],
    [{ rows: 8, height: 4, width: 2.5 }, /own: the sample's width is 2.5/],
    [{ rows: 1, height: 1, width: 1 }, /1 image of 1×1 out of 8 images of 4×4, 1 value .*larger/],
  ] as const;
  for (const [extent, message] of extents) fails({ extent: () => extent }, message);
  fails({}, /^RangeError: norm: layer "bn1": the map's rows is 0/, { ...shape, rows: 0 });
  fails({ virtualRows: 2 }, /own: virtualRows is 2 and virtualInput is missing/);
  fails({ virtualRows: -1 }, /own: virtualRows is -1/);
  fails(fullBatch(), /^RangeError: norm: layer "bn1": bn: .*1 value .*larger batch/, {
    rows: 1,
    height: 1,
    width: 1,
  });
  const broken = strategy({
    extent() {
      throw new TypeError("a bug");
    },
  });
  t.throws(() => planExtent("layer", broken, shape), /^TypeError: a bug$/, "bugs pass through");
  t.end();
});

test("drawOrigins: three numbers for each part of each layer, from their own keys", (t) => {
  const part = { strategy: strategy({}), shape, extent: { rows: 2, height: 3, width: 4 } };
  const whole = { strategy: fullBatch(), shape, extent: shape };
  const layers = [{ parts: [part] }, { parts: [whole, part] }, { parts: [] }];
  const of = (l: number, p: number) => {
    const { row, top, left } = part.strategy.origin(
      part.extent,
      shape,
      foldIn(foldIn(key(3), l), p),
    );
    return [row, top, left];
  };
  const origins = drawOrigins(layers, key(3));
  t.deepEqual([...origins], [...of(0, 0), 0, 0, 0, ...of(1, 1)]);
  const drawn = (origin: Partial<Origin>) => {
    const drawing = strategy({ origin: () => ({ row: 0, top: 0, left: 0, ...origin }) });
    return () => drawOrigins([{ parts: [{ ...part, strategy: drawing }] }], key(1));
  };
  for (const fits of [{ row: 7 }, { top: 1 }]) t.doesNotThrow(drawn(fits));
  t.throws(drawn({ row: 8 }), /RangeError: drawOrigin: own drew row 8/);
  for (const astray of [{ top: 2 }, { left: 1 }, { row: -1 }, { top: 0.5 }]) {
    t.throws(drawn(astray), /RangeError: drawOrigin: own drew row/, JSON.stringify(astray));
  }
  t.end();
});

test("settings: counts and ratios as users write them", (t) => {
  t.equal(parseCount("12"), 12);
  for (const text of ["", "1.5", "-1", "1/2", " 1"]) t.equal(parseCount(text), undefined);
  t.equal(parseRatio("1/32"), 1 / 32);
  t.equal(parseRatio("0.25"), 0.25);
  for (const ratio of [1e-7, 1.25e-9, 1 / 3e7]) {
    t.equal(parseRatio(formatRatio(ratio)), ratio, `${ratio} comes back`);
  }
  for (const text of ["", "1", "1/", "/2", "a/b", "1/2/3"]) t.equal(parseRatio(text), undefined);
  for (const text of ["1/32", "3/4", "1/1", "1/3", "3/10", "5/4096"]) {
    t.equal(formatRatio(parseRatio(text) as number), text);
  }
  t.equal(formatRatio(Math.SQRT1_2), String(Math.SQRT1_2), "no short fraction");
  t.end();
});
