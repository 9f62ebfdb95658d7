import {
  effectiveSampleSize,
  fullBatch,
  intraImageCorrelation,
  mixture,
  type Strategy,
  samplingError,
} from "@fewnorm/sampling";
import { key, normal, randomInteger, toNdArray } from "@fewnorm/tensor";
import test from "tape";

const images = (rows: number, first?: number): Strategy => ({
  name: `images:${rows}`,
  virtualRows: 0,
  extent: (shape) => ({ ...shape, rows }),
  origin: (_, shape, key) => ({ row: first ?? randomInteger(key, shape.rows), top: 0, left: 0 }),
});
const close = (actual: number, expected: number, tolerance: number) =>
  Math.abs(actual - expected) <= tolerance;

test("samplingError: is zero for the whole batch", (t) => {
  const shape = [8, 2, 3, 3] as const;
  const values = Float32Array.from(normal(key(1), 144));
  const { mean, variance } = samplingError(values, shape, fullBatch(), key(2), { draws: 3 });
  t.equal(mean.errors.length, 6, "draws × channels");
  t.deepEqual([mean.bias, mean.rms, variance.bias, variance.rms], [0, 0, 0, 0]);
  const viewed = toNdArray(Float32Array.from(values), shape);
  t.equal(samplingError(viewed, shape, fullBatch(), key(2)).mean.errors.length, 512, "an ndarray");
  t.end();
});

test("samplingError: of hand-computed samples and mixtures", (t) => {
  // Channel 0 holds 0, 2, 4, 6 (μ = 3, σ² = 5) in pairs of pixels; channel 1 is constant.
  const values = [0, 2, 9, 9, 4, 6, 9, 9];
  const shape = [2, 2, 1, 2] as const;
  const of = (...parts: Parameters<typeof mixture>) => {
    const { mean, variance } = samplingError(values, shape, mixture(...parts), key(1), {
      draws: 1,
    });
    return [mean.errors[0] as number, variance.errors[0] as number] as const;
  };
  // Roundings of a few operations on numbers around 1.
  const tolerance = 1e-14;
  const [mean, variance] = of([{ strategy: images(1, 1) }]);
  t.ok(close(mean, (5 - 3) / Math.sqrt(5), tolerance), "the mean of 4 and 6");
  t.ok(close(variance, 1 / 5 - 1, tolerance), "the variance of 4 and 6");
  const [unionMean, unionVariance] = of([{ strategy: images(1, 0) }, { strategy: images(1, 1) }]);
  t.ok(close(unionMean, 0, tolerance) && close(unionVariance, 0, tolerance), "the plain union");
  const weighted = of([
    { strategy: images(1, 0), weight: 3 },
    { strategy: images(1, 1), weight: 1 },
  ]);
  // μ = ¾·1 + ¼·5 = 2; σ² = ¾·(1 + 1) + ¼·(1 + 9) = 4.
  t.ok(close(weighted[0], (2 - 3) / Math.sqrt(5), tolerance), "a weighted mean");
  t.ok(close(weighted[1], 4 / 5 - 1, tolerance), "a weighted variance");
  t.end();
});

test("samplingError: of independent values falls as theory says", (t) => {
  const shape = [64, 4, 4, 4] as const;
  const values = normal(key(3), 64 * 4 * 16);
  const { mean, variance } = samplingError(values, shape, images(4), key(4), { draws: 512 });
  // n = 64 of m = 1,024 values: rms √((1 − n/m)/n) = 0.121 for the mean, √2 times that for the
  // variance, which is smaller than the whole's by 1/n on average. The 64 cyclic blocks of 4
  // channels are about 16·4 independent ones: the rms is known to 1/√(2·64) = 9%; 4 deviations.
  const expected = Math.sqrt((1 - 64 / 1024) / 64);
  t.ok(close(mean.rms / expected, 1, 0.36), `rms of the mean ${mean.rms}`);
  t.ok(close(variance.rms / (expected * Math.SQRT2), 1, 0.36), `of the variance ${variance.rms}`);
  t.ok(Math.abs(mean.bias) < 0.03, "every image is equally likely to be sampled");
  t.end();
});

test("samplingError: refuses what is not in the map", (t) => {
  const values = [1, 1, 1, 1];
  const shape = [2, 1, 1, 2] as const;
  const virtual = { ...images(1, 0), virtualRows: 1, virtualInput: () => new Float32Array(2) };
  t.throws(() => samplingError(values, shape, virtual, key(1)), /RangeError: .*virtual images/);
  t.throws(() => samplingError(values, shape, fullBatch(), key(1)), /RangeError: .*constant/);
  t.throws(
    () => samplingError(values, shape, images(3), key(1)),
    /RangeError: samplingError: images:3: .*rows is 3/,
  );
  t.throws(
    () => samplingError([1], shape, fullBatch(), key(1)),
    /RangeError: samplingError: 1 values/,
  );
  t.end();
});

test("intraImageCorrelation: of images of equal pixels, and of independent pixels", (t) => {
  const shape = [64, 1, 4, 4] as const;
  const level = normal(key(5), 64);
  const noise = normal(key(6), 1024);
  const flat = Float64Array.from(noise, (_, i) => level[i >> 4] as number);
  // Roundings of 1,024 numbers around 1.
  t.ok(close(intraImageCorrelation(flat, shape)[0] as number, 1, 1e-12));
  // The deviation of the estimate from 64 images of 16 pixels: √(2/(63·16·15)) = 0.0115 at ρ = 0,
  // and (1 − ρ)(1 + 15ρ)·0.0115 = 0.049 at ρ = ½; 5 deviations each: false alarms below 1e-6.
  t.ok(close(intraImageCorrelation(noise, shape)[0] as number, 0, 0.058));
  const mixed = noise.map((value, i) => value + (flat[i] as number));
  t.ok(close(intraImageCorrelation(mixed, shape)[0] as number, 0.5, 0.245));
  // Images of means 1 and 5: MSB = 2·(2² + 2²)/1 = 16, MSW = 2·(1 + 1)/2 = 2.
  const [ρ = 0] = intraImageCorrelation([0, 2, 4, 6], [2, 1, 1, 2]);
  t.ok(close(ρ, (16 - 2) / (16 + 2), 1e-15), "2 images of 2 pixels");
  t.throws(() => intraImageCorrelation([1, 2], [2, 1, 1, 1]), /RangeError: .*2 images of 1 pixels/);
  t.end();
});

test("effectiveSampleSize: values of independent and of equal pixels", (t) => {
  const extent = { rows: 4, height: 5, width: 2 };
  t.equal(effectiveSampleSize(extent, 0), 40);
  t.equal(effectiveSampleSize(extent, 1), 4);
  t.end();
});

test("samplingError: NaN is not left out, and draws are whole", (t) => {
  const shape = [8, 2, 4, 4] as const;
  const values = Float32Array.from(normal(key(1), 256));
  values[0] = Number.NaN;
  t.ok(Number.isNaN(samplingError(values, shape, images(2), key(2)).mean.rms));
  for (const draws of [0, 1.5]) {
    t.throws(() => samplingError(values, shape, images(2), key(2), { draws }), /draws is/);
  }
  t.end();
});
