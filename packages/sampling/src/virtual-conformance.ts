// The part of the conformance suite for strategies that bring images of their own.
import { foldIn, key as keyOf } from "@fewnorm/tensor";
import type { TestFunction } from "./conformance.ts";
import type { Strategy } from "./strategy.ts";
import { meanLooksLike } from "./uniformity.ts";

const channels = 3;
const height = 16;
const width = 12;
const steps = 64;

/**
 * Declares the tests of `virtualInput`: its length, finite values, mean 0 and deviation 1 in every
 * channel, and that keys matter unless the images are `fixed`. The moments are judged from the
 * averages of independent images, so pixels may be correlated; for fixed images, of which there
 * are few, from their pixels. A comparison fails by chance with a probability below 1e-6.
 */
export function virtualInputConformance(
  test: TestFunction,
  strategy: Strategy,
  fixed: boolean,
): void {
  const shape = Object.freeze({ rows: strategy.virtualRows, channels, height, width });
  const draw = (step: number) =>
    strategy.virtualInput?.(shape, foldIn(keyOf(6), step)) ?? new Float32Array();

  test(`${strategy.name}: virtual images have the right size and follow the key`, (t) => {
    const first = draw(0);
    t.ok(first instanceof Float32Array, "a Float32Array");
    t.equal(first.length, shape.rows * channels * height * width, "NCHW");
    t.ok(first.every(Number.isFinite), "finite values");
    t.deepEqual(draw(0), first, "same key, same images");
    const same = sameValues(first, draw(1));
    t.equal(same, fixed, fixed ? "another key, the same images" : "another key, other images");
    t.end();
  });

  test(`${strategy.name}: virtual images have mean 0 and deviation 1 in every channel`, (t) => {
    const inputs = Array.from({ length: fixed ? 1 : steps }, (_, step) => draw(step));
    const plane = height * width;
    for (let channel = 0; channel < channels; channel++) {
      const means: number[] = [];
      const squares: number[] = [];
      for (const input of inputs) {
        for (let row = 0; row < shape.rows; row++) {
          const from = (row * channels + channel) * plane;
          const pixels = Array.from(input.subarray(from, from + plane));
          const pixelSquares = pixels.map((value) => value * value);
          means.push(...(fixed ? pixels : [average(pixels)]));
          squares.push(...(fixed ? pixelSquares : [average(pixelSquares)]));
        }
      }
      t.ok(meanLooksLike(means, 0), `mean of channel ${channel}`);
      t.ok(meanLooksLike(squares, 1), `deviation of channel ${channel}`);
    }
    t.end();
  });
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function sameValues(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
