// Shapes, broadcasting, and their errors.

import {
  broadcastShapes,
  checkShape,
  sameShape,
  showShape,
  sizeOf,
  stridesOf,
} from "@fewnorm/tensor";
import fc from "fast-check";
import test from "tape";

test("sizes, strides, comparison, text", (t) => {
  t.equal(sizeOf([]), 1);
  t.equal(sizeOf([2, 3, 4]), 24);
  t.deepEqual(stridesOf([2, 3, 4]), [12, 4, 1]);
  t.deepEqual(stridesOf([]), []);
  t.ok(sameShape([2, 3], [2, 3]));
  t.notOk(sameShape([2, 3], [2, 3, 1]));
  t.notOk(sameShape([2, 3], [3, 2]));
  t.equal(showShape([2, 3]), "[2, 3]");
  t.end();
});

test("checkShape: sizes are whole numbers of at least 1", (t) => {
  t.doesNotThrow(() => checkShape("f", []));
  t.doesNotThrow(() => checkShape("f", [1, 2]));
  for (const shape of [[0], [2, -1], [1.5], [NaN], [Infinity], [2 ** 53]]) {
    t.throws(
      () => checkShape("f", shape),
      /^RangeError: f: shape \[.*\] has a size/,
      String(shape),
    );
  }
  t.throws(() => checkShape("f", ["3", 2] as never), /^RangeError: f: shape \["3", 2\] has a size/);
  for (const none of [undefined, 3, "3x3"]) {
    t.throws(() => checkShape("f", none as never), /^TypeError: f: shape is .*; give an array of/);
  }
  t.end();
});

test("broadcastShapes: as in NumPy", (t) => {
  const cases = [
    [[], [], []],
    [[], [2, 3], [2, 3]],
    [[3], [2, 3], [2, 3]],
    [
      [2, 1],
      [1, 3],
      [2, 3],
    ],
    [
      [3, 1, 1],
      [2, 3, 5, 7],
      [2, 3, 5, 7],
    ],
    [
      [16, 1, 1, 1],
      [16, 3, 3, 3],
      [16, 3, 3, 3],
    ],
  ] as const;
  for (const [a, b, expected] of cases) {
    t.deepEqual(broadcastShapes("f", a, b), expected, `[${a}] with [${b}]`);
    t.deepEqual(broadcastShapes("f", b, a), expected, `[${b}] with [${a}]`);
  }
  t.throws(
    () => broadcastShapes("add", [2, 3], [2]),
    /^RangeError: add: shapes \[2, 3\] and \[2\] do not broadcast; sizes must be equal or 1/,
  );
  t.end();
});

test("broadcastShapes: both operands fit into the result", (t) => {
  const shape = fc.array(fc.constantFrom(1, 2, 3), { maxLength: 4 });
  const property = fc.property(shape, shape, (a, b) => {
    const fits = a.every((_, i) => {
      const [p, q] = [a.at(-1 - i) ?? 1, b.at(-1 - i) ?? 1];
      return p === q || p === 1 || q === 1;
    });
    if (!fits) return true;
    const result = broadcastShapes("f", a, b);
    const holds = (inner: readonly number[]) =>
      inner.every((_, i) => [1, result.at(-1 - i)].includes(inner.at(-1 - i) as number));
    return result.length === Math.max(a.length, b.length) && holds(a) && holds(b);
  });
  t.doesNotThrow(() => fc.assert(property, { seed: 1 }));
  t.end();
});
