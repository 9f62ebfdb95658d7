import { planExtent, strategyConformance } from "@fewnorm/sampling";
import { featureSampling, parseFeatureSampling } from "@fewnorm/sampling-feature";
import test from "tape";

const small = [{ rows: 128, height: 4, width: 7 }];
strategyConformance(test, featureSampling({ height: 4, width: 8 }), { refuses: small });
strategyConformance(test, featureSampling({ height: 1, width: 1 }), {
  refuses: [{ rows: 1, height: 8, width: 8 }],
});
strategyConformance(test, featureSampling({ ratio: 1 / 32 }));
strategyConformance(test, featureSampling({ ratio: 0.3, minValues: 2 }), {
  shapes: [{ rows: 4, height: 56, width: 56 }],
});

const patchOf = (ratio: number, rows: number, height: number, width: number, minValues = 32) => {
  const extent = featureSampling({ ratio, minValues }).extent({ rows, height, width });
  return `${extent.rows}: ${extent.height}x${extent.width}`;
};

test("featureSampling: a patch in all images", (t) => {
  const shape = { rows: 128, height: 32, width: 32 };
  const { extent } = featureSampling({ height: 4, width: 8 });
  t.deepEqual(extent(shape), { rows: 128, height: 4, width: 8 });
  const two = { rows: 2, height: 1, width: 1 };
  const pixel = featureSampling({ height: 1, width: 1 });
  t.deepEqual(pixel.extent({ ...shape, rows: 2 }), two, "2 values are enough");
  t.end();
});

test("featureSampling: a ratio becomes the nearest patch, as square as can be, else wide", (t) => {
  t.equal(patchOf(1 / 32, 128, 32, 32), "128: 4x8", "32 pixels");
  t.equal(patchOf(1 / 32, 128, 16, 16), "128: 2x4", "8 pixels");
  t.equal(patchOf(1 / 32, 128, 8, 8), "128: 1x2", "2 pixels");
  t.equal(patchOf(1 / 32, 128, 4, 4), "128: 1x1", "at least one pixel");
  t.equal(
    patchOf(1 / 32, 128, 28, 28),
    "128: 5x5",
    "24.5 pixels: 5×5 is nearer to a square than 4×6",
  );
  t.equal(patchOf(1 / 4, 128, 32, 32), "128: 16x16");
  t.equal(patchOf(1 / 4, 128, 32, 2), "128: 8x2", "in a narrow map");
  t.equal(patchOf(1, 128, 7, 5), "128: 7x5");
  t.end();
});

test("featureSampling: a ratio keeps minValues values a channel, all images together", (t) => {
  t.equal(patchOf(1 / 32, 4, 8, 8), "4: 2x4", "32 values");
  t.equal(patchOf(1 / 32, 3, 8, 8), "3: 3x4", "12 pixels, since 11 fit no patch of 8×8");
  t.equal(patchOf(1 / 32, 128, 1, 1), "128: 1x1");
  t.equal(patchOf(1 / 32, 2, 3, 3), "2: 3x3", "never more than there is");
  t.equal(patchOf(1 / 32, 4, 8, 8, 2), "4: 1x2");
  t.end();
});

test("featureSampling: says what is wrong with the sizes", (t) => {
  const shape = { rows: 128, height: 32, width: 32 };
  t.throws(
    () => planExtent('norm: layer "bn1"', featureSampling({ height: 40, width: 40 }), shape),
    /^RangeError: norm: layer "bn1": fs:40x40: a patch of 40×40 .* 128 images of 32×32; use fs:32x32 at most/,
  );
  const one = featureSampling({ height: 1, width: 1 });
  t.throws(() => one.extent({ rows: 1, height: 8, width: 8 }), /fs:1x1: .* 1 value .* fs:1x2$/);
  t.throws(() => one.extent({ rows: 1, height: 8, width: 1 }), /fs:1x1: .* 1 value .* fs:2x1$/);
  for (const side of [0, -4, 2.5, Number.NaN]) {
    t.throws(
      () => featureSampling({ height: side, width: 8 }),
      /RangeError: featureSampling: height is/,
      `height ${side}`,
    );
    t.throws(
      () => featureSampling({ height: 4, width: side }),
      /RangeError: featureSampling: width is/,
      `width ${side}`,
    );
  }
  for (const ratio of [0, -0.5, 1.01, Number.NaN]) {
    t.throws(() => featureSampling({ ratio }), /RangeError: featureSampling: ratio is/, `${ratio}`);
  }
  t.end();
});

test("parseFeatureSampling: reads what the name says", (t) => {
  const few = featureSampling({ ratio: 1 / 32, minValues: 10 });
  t.equal(few.name, "fs:1/32:min10", "told apart from fs:1/32");
  const maps = { rows: 1, height: 8, width: 8 };
  t.deepEqual(parseFeatureSampling(few.name.slice(3)).extent(maps), few.extent(maps));
  for (const text of ["4x8", "1x1", "1/32", "3/4", "1/32:min10"]) {
    t.equal(parseFeatureSampling(text).name, `fs:${text}`);
  }
  for (const text of ["", "4", "4x", "x8", "4x8x2", "4×8", "-1x2", "0x4", "a/b", "4x8:min9"]) {
    t.throws(() => parseFeatureSampling(text), /RangeError: .*fs:4x8 or fs:1\/32/, `"${text}"`);
  }
  for (const text of ["5/4", "0/1", "1/4:min1"]) {
    t.throws(() => parseFeatureSampling(text), /RangeError: featureSampling: /, text);
  }
  t.end();
});
