// Random keys: known answers, uniformity with stated false-alarm rates, properties.

import {
  foldIn,
  type Key,
  key,
  normal,
  permutation,
  randomBits,
  randomInteger,
  split,
  threefry,
  uniform,
} from "@fewnorm/tensor";
import fc from "fast-check";
import test from "tape";

test("Threefry-2x32-20: the known answers of Random123", (t) => {
  const answers: readonly (readonly [Key, Key, Key])[] = [
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ];
  for (const [k, [c0, c1], expected] of answers) t.deepEqual(threefry(k, c0, c1), expected);
  t.end();
});

test("key: of every seed, another one", (t) => {
  t.deepEqual(key(0), [0, 0]);
  t.deepEqual(key(5), [0, 5]);
  t.deepEqual(key(2 ** 32 + 7), [1, 7]);
  t.deepEqual(key(2 ** 53 - 1), [2 ** 21 - 1, 2 ** 32 - 1]);
  for (const seed of [-1, 0.5, NaN, 2 ** 53]) {
    t.throws(
      () => key(seed),
      /key: seed is .*; give a whole number from 0 to 2\^53 - 1/,
      `${seed}`,
    );
  }
  t.end();
});

test("foldIn and split: the same key the same, others others", (t) => {
  const parent = key(3);
  t.deepEqual(foldIn(parent, 9), foldIn(key(3), 9), "a key is a value");
  const children = Array.from({ length: 1000 }, (_, i) => foldIn(parent, i));
  t.equal(new Set(children.map(String)).size, 1000, "1000 children differ");
  t.notDeepEqual(foldIn(foldIn(parent, 1), 2), foldIn(foldIn(parent, 2), 1), "order matters");
  t.deepEqual(split(parent, 3).length, 3);
  t.equal(new Set(split(parent, 100).map(String)).size, 100);
  t.notDeepEqual(foldIn(parent, 0), Array.from(randomBits(parent, 2)), "folding is not drawing");
  for (const data of [-1, 0.5, 2 ** 32]) {
    t.throws(() => foldIn(parent, data), /foldIn: data is .*; give a whole number/, `${data}`);
  }
  t.end();
});

test("draws of a count that is none are refused", (t) => {
  for (const draw of [split, randomBits, uniform, normal, permutation]) {
    for (const count of [-1, 1.5, Number.NaN]) {
      t.throws(
        () => draw(key(1), count),
        new RegExp(`^RangeError: ${draw.name}: count is ${count}; give a whole number >= 0`),
      );
    }
    const text = new RegExp(`^RangeError: ${draw.name}: count is "3"; give a whole number`);
    t.throws(() => draw(key(1), "3" as never), text);
    t.equal(draw(key(1), 0).length, 0, `${draw.name}: none`);
  }
  t.end();
});

test("draws do not depend on how many are drawn", (t) => {
  const property = fc.property(fc.nat(2 ** 31), fc.nat(40), fc.nat(40), (seed, a, b) => {
    const [short, long] = [Math.min(a, b), Math.max(a, b)];
    const prefix = (draw: typeof uniform) =>
      String(draw(key(seed), long).slice(0, short)) === String(draw(key(seed), short));
    return prefix(uniform) && prefix(normal);
  });
  t.doesNotThrow(() => fc.assert(property, { seed: 1 }));
  t.end();
});

// The statistical tests have fixed keys. Had these been chosen at random, each assertion would fail for
// a perfect generator with the probability stated.

/** (Σ (observed − expected)²/expected − (k − 1))/√(2(k − 1)): about standard normal for large k. */
function chiSquareDeviation(counts: ArrayLike<number>): number {
  const observed = Array.from(counts);
  const total = observed.reduce((a, b) => a + b, 0);
  const expected = total / observed.length;
  const chi = observed.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  return (chi - (observed.length - 1)) / Math.sqrt(2 * (observed.length - 1));
}

// P(|z| > 4.9) = 1e-6 for a normal z; χ² with 255 degrees of freedom has a heavier right tail, 1e-5.
const limit = 4.9;

test("uniform: every part of [0, 1) as often, false-alarm rate 1e-5 each", (t) => {
  for (const seed of [1, 2, 3]) {
    const counts = new Int32Array(256);
    const draws = uniform(key(seed), 100_000);
    for (const x of draws) counts[Math.floor(x * 256)]!++;
    const deviation = chiSquareDeviation(counts);
    t.ok(Math.abs(deviation) < limit, `seed ${seed}: χ² is ${deviation.toFixed(2)} deviations off`);
    t.ok(
      draws.every((x) => x >= 0 && x < 1),
      "in [0, 1)",
    );
  }
  t.end();
});

test("uniform: pairs of neighbours, and the same place under neighbouring keys, rate 1e-5 each", (t) => {
  const pairs = new Int32Array(256);
  const draws = uniform(key(4), 100_000);
  for (let i = 0; i + 1 < draws.length; i += 2) {
    pairs[16 * Math.floor(draws[i]! * 16) + Math.floor(draws[i + 1]! * 16)]!++;
  }
  const neighbours = chiSquareDeviation(pairs);
  t.ok(Math.abs(neighbours) < limit, `neighbours: ${neighbours.toFixed(2)} deviations off`);
  const keys = new Int32Array(256);
  for (let i = 0; i < 50_000; i++) {
    const [a] = uniform(foldIn(key(5), 2 * i), 1);
    const [b] = uniform(foldIn(key(5), 2 * i + 1), 1);
    keys[16 * Math.floor(a! * 16) + Math.floor(b! * 16)]!++;
  }
  const across = chiSquareDeviation(keys);
  t.ok(Math.abs(across) < limit, `neighbouring keys: ${across.toFixed(2)} deviations off`);
  t.end();
});

test("randomBits: each of the 32 bits as often set as not, rate 1e-6 a bit", (t) => {
  const count = 100_000;
  const set = new Int32Array(32);
  for (const bits of randomBits(key(6), count)) {
    for (let b = 0; b < 32; b++) set[b]! += (bits >>> b) & 1;
  }
  const worst = Math.max(...Array.from(set, (n) => Math.abs(n - count / 2) / Math.sqrt(count / 4)));
  t.ok(worst < limit, `the worst bit is ${worst.toFixed(2)} deviations off`);
  t.end();
});

test("normal: moments, rate 1e-6 each, and tails", (t) => {
  const count = 200_001;
  const draws = normal(key(7), count);
  const moment = (power: number) => draws.reduce((sum, x) => sum + x ** power, 0) / count;
  // Deviations of the sample moments of orders 1 to 4: √(E x^2k − (E x^k)²) = 1, √2, √15, √96.
  const expected = [0, 1, 0, 3];
  for (const [i, spread] of [1, 2, 15, 96].entries()) {
    const deviation = (moment(i + 1) - expected[i]!) / Math.sqrt(spread / count);
    t.ok(Math.abs(deviation) < limit, `moment ${i + 1}: ${deviation.toFixed(2)} deviations off`);
  }
  t.ok(draws.every(Number.isFinite), "all are finite");
  const beyond = draws.filter((x) => Math.abs(x) > 3).length;
  // 0.0027 of them: 540 ± 23.
  t.ok(Math.abs(beyond - 0.0026998 * count) < limit * 23.3, `${beyond} beyond 3`);
  t.end();
});

test("normal: neighbours say nothing of each other, rate 1e-5 each", (t) => {
  const draws = normal(key(10), 100_001);
  // Quartiles of the standard normal distribution.
  const limits = [-0.6744897501960817, 0, 0.6744897501960817];
  const quarter = (x: number) => limits.filter((q) => x > q).length;
  for (const first of [0, 1]) {
    const pairs = new Int32Array(16);
    for (let i = first; i + 1 < draws.length; i += 2) {
      pairs[4 * quarter(draws[i]!) + quarter(draws[i + 1]!)]!++;
    }
    const deviation = chiSquareDeviation(pairs);
    // χ² with 15 degrees of freedom exceeds 50.5 with probability 1e-5.
    const most = (50.5 - 15) / Math.sqrt(30);
    t.ok(deviation < most, `from ${first} on: χ² is ${deviation.toFixed(2)} deviations off`);
  }
  t.end();
});

test("randomInteger: every value as often, rate 1e-5", (t) => {
  for (const bound of [1, 2, 3, 7, 125, 2 ** 31]) {
    const draws = split(key(8), 20_000).map((k) => randomInteger(k, bound));
    t.ok(
      draws.every((x) => Number.isInteger(x) && x >= 0 && x < bound),
      `0 to ${bound} - 1`,
    );
    if (bound < 100) continue;
    const counts = new Int32Array(125);
    for (const x of draws) counts[Math.floor((x / bound) * 125)]!++;
    const deviation = chiSquareDeviation(counts);
    t.ok(Math.abs(deviation) < limit, `${bound}: ${deviation.toFixed(2)} deviations off`);
  }
  for (const bound of [0, -1, 1.5, 2 ** 31 + 1]) {
    t.throws(() => randomInteger(key(1), bound), /randomInteger: bound is .*; give/, `${bound}`);
  }
  t.end();
});

test("permutation: holds every number once, and depends on the key alone", (t) => {
  const property = fc.property(fc.nat(2 ** 31), fc.nat(200), (seed, count) => {
    const order = permutation(key(seed), count);
    const sorted = Array.from(order).sort((a, b) => a - b);
    const complete = sorted.length === count && sorted.every((value, i) => value === i);
    return complete && String(order) === String(permutation(key(seed), count));
  });
  t.doesNotThrow(() => fc.assert(property, { seed: 2 }));
  t.deepEqual(Array.from(permutation(key(1), 1)), [0]);
  t.deepEqual(Array.from(permutation(key(1), 0)), []);
  t.end();
});

test("permutation: all orders of 5, and every number at every place of 16, as often, rate 1e-5", (t) => {
  const orders = new Map<string, number>();
  const places = new Int32Array(256);
  for (const k of split(key(9), 30_000)) {
    const order = String(permutation(k, 5));
    orders.set(order, (orders.get(order) ?? 0) + 1);
    for (const [place, value] of permutation(k, 16).entries()) places[place * 16 + value]!++;
  }
  t.equal(orders.size, 120, "all 120 orders occur");
  const ofOrders = chiSquareDeviation([...orders.values()]);
  t.ok(Math.abs(ofOrders) < limit, `orders: ${ofOrders.toFixed(2)} deviations off`);
  // Rows and columns of the table have fixed sums, so its χ² has expectation 240 instead of 255.
  const ofPlaces = chiSquareDeviation(places) + 15 / Math.sqrt(2 * 255);
  t.ok(Math.abs(ofPlaces) < limit, `places: ${ofPlaces.toFixed(2)} deviations off`);
  t.end();
});

test("what is no key is refused, a seed above all", (t) => {
  for (const none of [1, undefined, [1], [1.5, 2], "12"]) {
    const uses = [
      () => foldIn(none as never, 0),
      () => randomInteger(none as never, 5),
      () => normal(none as never, 3),
      () => permutation(none as never, 3),
    ];
    const message = `key: ${none} is no key; give what key(seed) or foldIn makes`;
    for (const use of uses) t.throws(use, { name: "TypeError", message });
  }
  t.end();
});
