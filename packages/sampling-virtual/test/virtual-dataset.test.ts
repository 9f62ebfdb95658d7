import { planExtent, planParts, strategyConformance } from "@fewnorm/sampling";
import { parseVirtualDataset, virtualDataset } from "@fewnorm/sampling-virtual";
import { key } from "@fewnorm/tensor";
import test from "tape";

strategyConformance(test, virtualDataset({ images: 4 }), { fixedOrigin: true });
strategyConformance(test, virtualDataset({ images: 1 }), { fixedOrigin: true });
strategyConformance(test, virtualDataset({ images: 2, kept: true, seed: 7 }), {
  fixedOrigin: true,
  fixedInput: true,
});

test("virtualDataset: statistics come from the virtual images alone", (t) => {
  const parts = planParts("layer", virtualDataset({ images: 4 }), {
    rows: 128,
    height: 16,
    width: 8,
  });
  const whole = { rows: 4, height: 16, width: 8 };
  t.deepEqual(
    parts.map(({ shape, extent, weight }) => ({ shape, extent, weight })),
    [{ shape: whole, extent: whole, weight: 1 }],
  );
  t.end();
});

test("virtualDataset: kept images follow their seed", (t) => {
  const shape = { rows: 4, channels: 3, height: 8, width: 8 };
  const draw = (seed?: number) =>
    virtualDataset({
      images: 4,
      kept: true,
      ...(seed === undefined ? {} : { seed }),
    }).virtualInput?.(shape, key(1));
  t.deepEqual(draw(1), draw(1));
  t.notDeepEqual(draw(1), draw(2));
  t.deepEqual(draw(), draw(0), "the default");
  t.end();
});

test("virtualDataset: kept images stay, whatever becomes of what was given", (t) => {
  const { virtualInput } = virtualDataset({ images: 2, kept: true });
  const draw = (side: number) =>
    virtualInput?.({ rows: 2, channels: 1, height: side, width: side }, key(side)) ??
    new Float32Array();
  const first = draw(4);
  const copy = first.slice();
  first.fill(0);
  t.deepEqual(draw(4), copy, "a caller that writes on them changes its own");
  t.deepEqual(draw(3), copy.slice(0, 18), "another size is drawn anew");
  t.deepEqual(draw(4), copy);
  t.end();
});

test("virtualDataset: says what is wrong with the sizes", (t) => {
  for (const images of [0, -4, 2.5, Number.NaN]) {
    t.throws(
      () => virtualDataset({ images }),
      /RangeError: virtualDataset: images is/,
      `${images}`,
    );
  }
  t.throws(
    () => virtualDataset({ images: 4, kept: true, seed: -1 }),
    /RangeError: key: seed is -1/,
  );
  t.throws(
    () =>
      planExtent('norm: layer "bn1"', virtualDataset({ images: 1 }), {
        rows: 1,
        height: 1,
        width: 1,
      }),
    /^RangeError: norm: layer "bn1": vdn:1: .* 1 image of 1×1, 1 value .* vdn:2$/,
  );
  t.throws(
    () => virtualDataset({ images: 4 }).extent({ rows: 128, height: 8, width: 8 }),
    /RangeError: vdn:4: .* 128 images .* are 4/,
  );
  t.end();
});

test("parseVirtualDataset: reads what the name says", (t) => {
  for (const text of ["4", "1", "4:kept"]) t.equal(parseVirtualDataset(text).name, `vdn:${text}`);
  for (const text of ["", "0", "1/32", "x", "4:", "kept", "4:fresh"]) {
    t.throws(() => parseVirtualDataset(text), /RangeError: .*vdn:4/, `"${text}"`);
  }
  t.end();
});
