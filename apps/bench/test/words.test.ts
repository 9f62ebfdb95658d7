import test from "tape";
import { mapEstimate, percent, ratio, short } from "../src/words.ts";

const estimate = { median: 0.0312, low: -0.0004, high: 0.05, count: 9 };

test("words: numbers with their intervals", (t) => {
  t.deepEqual([0.01234, 0.1234, 1.234, 12.34, 123.4, 1234].map(short), [
    "0.012",
    "0.123",
    "1.23",
    "12.3",
    "123",
    "1234",
  ]);
  t.equal(percent(estimate), "+3.1% [+0.0, +5.0]");
  t.equal(percent({ ...estimate, low: -0.021 }), "+3.1% [−2.1, +5.0]");
  t.equal(ratio({ median: 1.2345, low: 0.9, high: 12.34, count: 6 }), "1.234 [0.900, 12.3]");
  t.equal(ratio({ median: 1.2345, low: 0.9, high: 12.34, count: 5 }), "1.234 (of 5)");
  t.equal(percent({ ...estimate, count: 3 }), "+3.1% (of 3)", "too few for an interval");
  t.equal(percent(undefined), "–", "what was not measured has no number");
  t.end();
});

test("mapEstimate: a falling function turns the interval around", (t) => {
  const speed = mapEstimate({ median: 4, low: 2, high: 8, count: 3 }, (x) => 8 / x);
  t.deepEqual(speed, { median: 2, low: 1, high: 4, count: 3 });
  t.equal(
    mapEstimate(undefined, (x) => x),
    undefined,
  );
  t.end();
});
