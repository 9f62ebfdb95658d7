// Which ranges of rows the planner takes to have no row in common: no two that share one, wherever they start. And
// which rows it takes to be each thread's own.

import test from "tape";
import { areApart, type Located, locateAll, mustWait, touch } from "../src/plan/conflicts.ts";
import { type Buffer, type Instruction, mapName, reads, writes } from "../src/plan/program.ts";

const bufferOf = (bytes: number, id: number): Buffer => {
  return { id, kind: "workspace", bytes, address: 0, fed: true, fetched: false };
};

test("threads wait for rows written in a map's order before they read the rows that the map names", (t) => {
  const map = { start: { buffer: bufferOf(4, 0), offset: 0 }, base: 0, modulo: 6, offset: 0 };
  const place = { buffer: bufferOf(240, 1), offset: 0 };
  const locate = (instruction: Pick<Instruction, "accesses" | "turn">): Located =>
    locateAll({ op: 0, args: [], node: 0, ...instruction }, ({ id }) => ({
      space: id,
      offset: 0,
    }))[0] as Located;
  const written = locate({ accesses: [writes(place, 240, "rows:6")], turn: map });
  const inOrder = locate({ accesses: [reads(place, 240, "rows:6")], turn: map });
  const mapped = locate({
    accesses: [{ ...reads(place, 240, `rows:6${mapName(map)}`), rows: { map, count: 6 } }],
  });
  t.notOk(mustWait(written, inOrder), "not before each reads what it has written");
  t.ok(mustWait(written, mapped));
  t.end();
});

test("what no thread has for itself is none's own in a map's order either", (t) => {
  const map = { start: { buffer: bufferOf(4, 0), offset: 0 }, base: 0, modulo: 6, offset: 0 };
  const place = { buffer: bufferOf(240, 1), offset: 0 };
  const [written, read] = [writes(place, 240), reads(place, 240)].map(
    (access) =>
      locateAll({ op: 0, args: [], node: 0, accesses: [access], turn: map }, ({ id }) => ({
        space: id,
        offset: 0,
      }))[0] as Located,
  );
  t.ok(mustWait(written as Located, read as Located));
  t.end();
});

test("rows of a tensor that has taken over another's memory touch its rows", (t) => {
  const map = { start: { buffer: bufferOf(4, 0), offset: 0 }, base: 0, modulo: 6, offset: 0 };
  const rowsOf = (bytes: number, offset: number): Located => ({
    ...{ space: "workspace", begin: 0, end: bytes, key: "rows:3", write: true },
    rows: { map: { ...map, offset }, count: 3 },
  });
  t.notOk(touch(rowsOf(240, 0), rowsOf(240, 3)), "other rows of the same tensor do not");
  t.ok(touch(rowsOf(240, 0), rowsOf(480, 3)));
  t.end();
});

test("rows are apart exactly if no row is in both ranges, which may wrap", (t) => {
  const buffer = bufferOf(4, 0);
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
