// Values on the host: ndarrays of any strides, typed and plain arrays.

import { elementsOf, toNdArray } from "@fewnorm/tensor";
import fc from "fast-check";
import ndarray from "ndarray";
import test from "tape";

const read = (value: Parameters<typeof elementsOf>[1], shape: number[], dtype?: "int32") =>
  Array.from(elementsOf("f", value, shape, dtype));

test("toNdArray: row-major, without a copy", (t) => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  const array = toNdArray(values, [2, 3]);
  t.deepEqual([array.shape, array.stride, array.offset], [[2, 3], [3, 1], 0]);
  t.equal(array.get(1, 0), 4);
  array.set(1, 0, 40);
  t.equal(values[3], 40);
  t.equal(toNdArray(Float64Array.of(7), []).get(), 7, "a scalar");
  t.end();
});

test("elementsOf: arrays of every kind", (t) => {
  t.deepEqual(read([1, 2, 3, 4], [2, 2]), [1, 2, 3, 4], "plain");
  t.deepEqual(read(Float64Array.of(1, 2), [2]), [1, 2], "typed");
  t.deepEqual(read(new Uint8Array([200, 3]), [2]), [200, 3], "bytes");
  t.deepEqual(read([5], []), [5], "a scalar");
  const six = Float32Array.of(1, 2, 3, 4, 5, 6);
  t.deepEqual(read(ndarray(six, [2, 3]), [2, 3]), [1, 2, 3, 4, 5, 6], "ndarray");
  t.deepEqual(read(ndarray(six, [3, 2]).transpose(1, 0), [2, 3]), [1, 3, 5, 2, 4, 6], "transposed");
  t.deepEqual(read(ndarray(six, [6]).step(-2), [3]), [6, 4, 2], "stepped backwards");
  t.deepEqual(read(ndarray(six, [2, 3]).lo(1, 1), [1, 2]), [5, 6], "cut");
  t.deepEqual(read(ndarray(six, [2, 3]).pick(null, 1), [2]), [2, 5], "column");
  t.deepEqual(read(ndarray(six, [2, 2], [0, 1], 4), [2, 2]), [5, 6, 5, 6], "stride 0");
  t.deepEqual(
    read(ndarray([1, 2, 3, 4], [2, 2]), [2, 2]),
    [1, 2, 3, 4],
    "ndarray of a plain array",
  );
  t.deepEqual(read(ndarray([1, 2, 3, 4], [2, 2]).transpose(1, 0), [2, 2]), [1, 3, 2, 4]);
  t.deepEqual(read(ndarray(new Uint8Array([9, 8]), [2]), [2]), [9, 8], "ndarray of bytes");
  t.end();
});

test("elementsOf: any view of an ndarray is read as its get() says", (t) => {
  const property = fc.property(
    fc.tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
    ),
    fc.constantFrom([0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]),
    fc.tuple(fc.constantFrom(1, -1), fc.constantFrom(1, -1), fc.constantFrom(1, -1)),
    (shape, order, steps) => {
      const values = Float32Array.from({ length: 64 }, (_, i) => i);
      const view = ndarray(values, shape)
        .transpose(...order)
        .step(...steps);
      const [a = 1, b = 1, c = 1] = view.shape;
      const expected = Array.from({ length: a * b * c }, (_, i) =>
        view.get(Math.floor(i / (b * c)), Math.floor(i / c) % b, i % c),
      );
      return String(read(view, view.shape)) === String(expected);
    },
  );
  t.doesNotThrow(() => fc.assert(property, { seed: 1 }));
  t.end();
});

test("elementsOf: errors say what is wrong with what", (t) => {
  const six = ndarray(new Float32Array(6), [2, 3]);
  t.throws(
    () => read([1, 2, 3], [2, 2]),
    /^RangeError: f: 3 values were given; shape \[2, 2\] holds 4/,
  );
  t.throws(() => read(six, [3, 2]), /^RangeError: f: the ndarray is \[2, 3\]; it must be \[3, 2\]/);
  t.throws(() => read(six, [6]), /^RangeError: f: the ndarray is \[2, 3\]/);
  t.throws(() => read(3 as unknown as number[], []), /^TypeError: f: 3 is not an array; give/);
  t.throws(() => read(null as unknown as number[], []), /^TypeError: f: null is not an array/);
  const object = { images: [1] } as unknown as number[];
  t.throws(() => read(object, [1]), /^TypeError: f: another object is not an array; give an array/);
  const promise = Promise.resolve([1]) as unknown as number[];
  t.throws(() => read(promise, [1]), /^TypeError: f: a promise is not an array; await it/);
  for (const bad of [0.5, NaN, Infinity, 2 ** 31, -(2 ** 31) - 1]) {
    const words = new RegExp(`^TypeError: f: ${bad} at 1 is not a whole number of 32 bits`);
    t.throws(() => read([1, bad], [2], "int32"), words, `int32 ${bad}`);
  }
  t.deepEqual(read([2 ** 31 - 1, -(2 ** 31)], [2], "int32"), [2 ** 31 - 1, -(2 ** 31)]);
  t.end();
});
