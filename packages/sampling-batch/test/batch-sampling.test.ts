import { planExtent, strategyConformance } from "@fewnorm/sampling";
import { batchSampling, parseBatchSampling } from "@fewnorm/sampling-batch";
import test from "tape";

const tooSmall = [{ rows: 3, height: 8, width: 8 }];
strategyConformance(test, batchSampling({ images: 4 }), { refuses: tooSmall });
strategyConformance(test, batchSampling({ images: 1 }), {
  refuses: [{ rows: 128, height: 1, width: 1 }],
});
strategyConformance(test, batchSampling({ ratio: 1 / 32 }));
strategyConformance(test, batchSampling({ ratio: 0.3, minValues: 2 }));

test("batchSampling: a number of images, whole maps", (t) => {
  const shape = { rows: 128, height: 16, width: 8 };
  t.deepEqual(batchSampling({ images: 4 }).extent(shape), { ...shape, rows: 4 });
  t.end();
});

test("batchSampling: a ratio is rounded and keeps minValues values a channel", (t) => {
  const rows = (ratio: number, shape: readonly [number, number, number], minValues?: number) => {
    const [rows, height, width] = shape;
    const options = minValues === undefined ? { ratio } : { ratio, minValues };
    return batchSampling(options).extent({ rows, height, width }).rows;
  };
  t.equal(rows(1 / 32, [128, 32, 32]), 4);
  t.equal(rows(1 / 32, [120, 32, 32]), 4, "3.75 images");
  t.equal(rows(1 / 32, [128, 1, 1]), 32, "the default keeps 32 values");
  t.equal(rows(1 / 32, [128, 3, 3]), 4, "36 values are enough");
  t.equal(rows(1 / 32, [128, 2, 3]), 6, "36 values; 5 images would be 30");
  t.equal(rows(1 / 32, [16, 1, 1]), 16, "never more than there are");
  t.equal(rows(1 / 32, [20, 8, 8]), 1, "at least one image");
  t.equal(rows(1 / 32, [128, 1, 1], 2), 4);
  t.equal(rows(1, [7, 5, 5]), 7);
  t.end();
});

test("batchSampling: says what is wrong with the sizes", (t) => {
  const shape = { rows: 128, height: 32, width: 32 };
  t.throws(
    () => planExtent('norm: layer "bn1"', batchSampling({ images: 200 }), shape),
    /^RangeError: norm: layer "bn1": bs:200: 200 images .* 128 images of 32×32; use bs:128 at most/,
  );
  t.throws(
    () => batchSampling({ images: 1 }).extent({ rows: 128, height: 1, width: 1 }),
    /RangeError: bs:1: .* 128 images of 1×1, 1 value .* bs:2$/,
  );
  for (const images of [0, -4, 2.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => batchSampling({ images }), /RangeError: batchSampling: images is/, `${images}`);
  }
  for (const ratio of [0, -0.5, 1.01, Number.NaN]) {
    t.throws(() => batchSampling({ ratio }), /RangeError: batchSampling: ratio is/, `${ratio}`);
  }
  for (const minValues of [1, 2.5, Number.NaN]) {
    t.throws(() => batchSampling({ ratio: 0.5, minValues }), /RangeError: .*minValues/);
  }
  t.end();
});

test("parseBatchSampling: reads what the name says", (t) => {
  for (const text of ["4", "1/32", "3/4", "1/1", "1/32:min10"]) {
    t.equal(parseBatchSampling(text).name, `bs:${text}`);
  }
  t.equal(parseBatchSampling("0.25").name, "bs:1/4");
  const few = batchSampling({ ratio: 1 / 32, minValues: 10 });
  t.equal(few.name, "bs:1/32:min10", "told apart from bs:1/32");
  const pixels = { rows: 128, height: 1, width: 1 };
  t.equal(parseBatchSampling(few.name.slice(3)).extent(pixels).rows, few.extent(pixels).rows);
  for (const text of ["", "four", "4x8", "-1", "1/", "4 ", "1e3", "0", "4:min10", "1/32:10"]) {
    t.throws(() => parseBatchSampling(text), /RangeError: .*bs:4 or bs:1\/32/, `"${text}"`);
  }
  for (const text of ["0/4", "4/0", "5/4", "1/4:min1"]) {
    t.throws(() => parseBatchSampling(text), /RangeError: batchSampling: /, text);
  }
  t.end();
});
