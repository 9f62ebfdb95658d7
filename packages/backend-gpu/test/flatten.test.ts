// What gpu.js gives back, as one array.

import test from "tape";
import { flatten } from "../src/pipeline.ts";

test("the elements of rows of rows, wherever these lie", (t) => {
  const all = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const rowsIn = (whole: Float32Array) => [0, 2, 4, 6].map((at) => whole.subarray(at, at + 2));
  const behind = Float32Array.of(9, 9, ...all).subarray(2);
  for (const size of [8, 7, 5]) {
    const wanted = all.slice(0, size);
    const [a, b, c, d] = rowsIn(all).map((row) => row.slice()) as [
      ...[Float32Array, Float32Array, Float32Array, Float32Array],
    ];
    for (const [what, rows] of Object.entries({
      "one row": all,
      "rows side by side": rowsIn(all),
      "rows side by side, behind others": rowsIn(behind),
      "rows of their own": [a, b, c, d],
      "rows of rows": [
        [a, b],
        [c, d],
      ],
    })) {
      t.deepEqual(flatten(rows, size), wanted, `${what}, ${size} elements`);
    }
  }
  t.end();
});
