import { strategyConformance } from "@fewnorm/sampling";
import { naiveSampling, parseNaiveSampling } from "@fewnorm/sampling-batch";
import { key } from "@fewnorm/tensor";
import test from "tape";

strategyConformance(test, naiveSampling({ images: 4 }), {
  fixedOrigin: true,
  refuses: [{ rows: 3, height: 8, width: 8 }],
});

test("naiveSampling: the first images, always", (t) => {
  const shape = { rows: 128, height: 16, width: 8 };
  const strategy = naiveSampling({ images: 4 });
  const extent = strategy.extent(shape);
  t.deepEqual(extent, { ...shape, rows: 4 });
  t.deepEqual(strategy.origin(extent, shape, key(1)), { row: 0, top: 0, left: 0 });
  t.end();
});

test("naiveSampling: says what is wrong with the sizes", (t) => {
  t.throws(() => naiveSampling({ images: 0 }), /RangeError: naiveSampling: images is 0/);
  t.throws(
    () => naiveSampling({ images: 200 }).extent({ rows: 128, height: 8, width: 8 }),
    /RangeError: ns:200: 200 images .* 128 images/,
  );
  t.end();
});

test("parseNaiveSampling: reads what the name says", (t) => {
  t.equal(parseNaiveSampling("4").name, "ns:4");
  for (const text of ["", "1/32", "x"]) {
    t.throws(() => parseNaiveSampling(text), /RangeError: .*ns:4/, `"${text}"`);
  }
  t.end();
});
