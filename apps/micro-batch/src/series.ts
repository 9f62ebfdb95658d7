// Points of a curve, however many there are to come: memory stays what it is.

export interface Point {
  readonly images: number;
  readonly seconds: number;
  readonly value: number;
}

export interface Series {
  readonly points: readonly Point[];
  add(point: Point): void;
}

/** Points that are kept; about as many as a plot has pixels. */
const most = 500;

/** Keeps every point while there are few; then every second, every fourth, …, and always the last one. */
export function createSeries(): Series {
  let kept: Point[] = [];
  let stride = 1;
  let count = 0;
  let last: Point | undefined;
  return {
    get points() {
      return last === undefined || kept.at(-1) === last ? kept : [...kept, last];
    },
    add(point) {
      last = point;
      if (count++ % stride !== 0) return;
      kept.push(point);
      if (kept.length <= most) return;
      kept = kept.filter((_, i) => i % 2 === 0);
      stride *= 2;
    },
  };
}

/** A running mean: each new value counts a tenth, and the first ones as much as there are few. */
export function createSmoother(): (value: number) => number {
  let [sum, weight] = [0, 0];
  return (value) => {
    sum = 0.9 * sum + 0.1 * value;
    weight = 0.9 * weight + 0.1;
    return sum / weight;
  };
}
