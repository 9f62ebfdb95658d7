// Where the planner finds free memory: as low as a look at every buffer would.

import { foldIn, key, randomInteger } from "@fewnorm/tensor";
import test from "tape";
import { createOccupancy } from "../src/plan/occupancy.ts";

interface Taken {
  readonly begin: number;
  readonly end: number;
  readonly first: number;
  readonly last: number;
}

/** The lowest free offset, by a look at all of them. */
function lowest(taken: readonly Taken[], bytes: number, first: number, last: number): number {
  const others = taken
    .filter((other) => other.first <= last && other.last >= first)
    .sort((a, b) => a.begin - b.begin);
  let offset = 100;
  for (const { begin, end } of others) {
    if (begin >= offset + bytes) break;
    offset = Math.max(offset, end);
  }
  return offset;
}

test("buffers lie at the lowest free offset", (t) => {
  for (const times of [1, 2, 7, 40]) {
    const occupancy = createOccupancy(times);
    const taken: Taken[] = [];
    const draws = foldIn(key(1), times);
    let same = true;
    for (let i = 0; i < 300; i++) {
      const draw = (what: number, bound: number) =>
        randomInteger(foldIn(foldIn(draws, i), what), bound);
      const first = draw(0, times);
      const last = first + draw(1, Math.min(times - first, 1 + draw(2, times)));
      // The sizes come in any order, unlike the planner's: gaps of every size are left and filled.
      const bytes = 1 + draw(3, 12);
      const offset = occupancy.lowestFree(bytes, first, last, 100);
      same &&= offset === lowest(taken, bytes, first, last);
      occupancy.take(offset, offset + bytes, first, last);
      taken.push({ begin: offset, end: offset + bytes, first, last });
    }
    t.ok(same, `300 buffers at ${times} times`);
  }
  t.end();
});
