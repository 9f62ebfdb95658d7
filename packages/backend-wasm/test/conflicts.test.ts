// Which ranges of rows the planner takes to have no row in common: no two that share one, wherever they start.

import test from "tape";
import { areApart } from "../src/plan/conflicts.ts";
import type { Buffer } from "../src/plan/program.ts";

test("rows are apart exactly if no row is in both ranges, which may wrap", (t) => {
  const buffer: Buffer = {
    id: 0,
    kind: "workspace",
    bytes: 4,
    address: 0,
    fed: true,
    fetched: false,
  };
  const modulo = 5;
  const rangesOf = Array.from({ length: modulo }, (_, offset) => offset).flatMap((offset) =>
    Array.from({ length: modulo }, (_, i) => ({
      map: { start: { buffer, offset: 0 }, base: 1, modulo, offset },
      count: i + 1,
    })),
  );
  const rowsOf = ({ map, count }: (typeof rangesOf)[number]) =>
    Array.from({ length: count }, (_, i) => (map.offset + i) % modulo);
  const wrong = rangesOf.flatMap((a) =>
    rangesOf.filter((b) => {
      const common = rowsOf(a).some((row) => rowsOf(b).includes(row));
      return areApart(a, b) === common;
    }),
  );
  t.equal(wrong.length, 0, `${rangesOf.length ** 2} pairs`);
  t.end();
});
