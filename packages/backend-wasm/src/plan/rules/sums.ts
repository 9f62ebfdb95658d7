// Sums over axes.

import type { NodeOf } from "@fewnorm/tensor";
import { sizeOf } from "@fewnorm/tensor";
import { EACH, OP_SUM_PARTIAL, OP_SUM_ROWS, SHARED } from "../../opcodes.ts";
import { mergeAxes } from "../elementwise.ts";
import { storedAxes, storedStrides } from "../layout.ts";
import { bytesOf, type Lowering, SMALL, stridesOf, type Value } from "../lowering.ts";
import { type Argument, at, mapName, mapped, rangeOf, turnOf, writes } from "../program.ts";
import { emitCombine, operand, type Rules } from "./rule.ts";

export const sumRules: Rules<"sum"> = {
  sum(low, node) {
    const summed = new Set(node.attributes.axes);
    const x = low.spread(node, operand(low, node, 0));
    const strides = stridesOf(x);
    const outStrides = storedStrides(node.shape);
    let kept = 0;
    const target = x.shape.map((_, axis) =>
      summed.has(axis) ? 0 : (outStrides[kept++] as number),
    );
    const small = sizeOf(x.shape) < SMALL;
    const all = storedAxes(x.shape.length).map((axis) => ({
      size: x.shape[axis] as number,
      strides: [strides[axis] as number, target[axis] as number],
    }));
    const rowsKept = x.shape.length > 0 && !summed.has(0);
    const divided = !small && (x.shape[0] ?? 1) >= low.threads;
    const merged = mergeAxes(all, rowsKept || divided || x.map !== undefined ? 1 : 0);
    const axes = merged.length > 0 ? merged : [{ size: 1, strides: [1, 0] }];
    if (x.map !== undefined && axes.length === 1) axes.push({ size: 1, strides: [1, 0] });
    const description = {
      x,
      small,
      args: [
        ...axes.map(({ size }) => size),
        ...[0, 1].flatMap((i) => axes.map(({ strides: of }) => of[i] as number)),
      ],
      rank: axes.length,
      rows: axes[0]?.size ?? 1,
    };
    return rowsKept ? sumOfRows(low, node, description) : sumOfAll(low, node, description);
  },
};

interface Description {
  readonly x: Value;
  /** Each thread computes all of it. */
  readonly small: boolean;
  readonly rank: number;
  readonly rows: number;
  readonly args: readonly number[];
}

/** The first axis stays: each thread sums its rows. */
function sumOfRows(low: Lowering, node: NodeOf<"sum">, sum: Description) {
  const out = low.result(node);
  const { x, small, rank, rows, args } = sum;
  const key = small ? "each" : `rows:${rows}`;
  const length = sizeOf(node.shape) / rows;
  const from = rangeOf(x.place, bytesOf(x.shape), x.map, x.shape[0]);
  low.emit({
    op: OP_SUM_ROWS,
    args: [
      ...[small ? EACH : SHARED, rank, at(x.place), mapped(x.map), 0, at(out.place), length],
      ...ownSums(low, length, small),
      ...args,
    ],
    accesses: [
      { ...from, key: small ? key : key + mapName(x.map), write: false },
      writes(out.place, bytesOf(node.shape), key),
    ],
    node: node.id,
  });
  return out;
}

/** Memory where each thread sums by itself what it then writes at once. */
function ownSums(low: Lowering, length: number, small: boolean): Argument[] {
  if (small) low.needScratch(4 * length);
  return [at({ buffer: low.scratch, offset: 0 }), { shareOf: low.scratch }];
}

/** The first axis is summed: each thread sums its share, then the threads' sums are added. */
function sumOfAll(low: Lowering, node: NodeOf<"sum">, sum: Description) {
  const length = sizeOf(node.shape);
  const { x, small, rank, rows, args } = sum;
  const bytes = 4 * length;
  const out = low.result(node);
  const sums = small ? out.place : low.allocate(bytes * low.threads);
  const kind = rank === 1 && x.map === undefined ? "flat" : "rows";
  const turn = small ? undefined : turnOf(x.map ?? x.order, rows);
  const from = rangeOf(x.place, bytesOf(x.shape), x.map, x.shape[0]);
  low.emit({
    op: OP_SUM_PARTIAL,
    args: [
      ...[small ? EACH : SHARED, rank, at(x.place), mapped(x.map), mapped(turn), at(sums), length],
      ...ownSums(low, length, small),
      ...args,
    ],
    accesses: [
      { ...from, key: small ? "each" : `${kind}:${rows}${mapName(x.map)}`, write: false },
      small ? writes(sums, bytes, "each") : writes(sums, bytes * low.threads, "thread"),
    ],
    turn,
    node: node.id,
  });
  const size = { rows: 1, length, rowFloats: length };
  if (!small) emitCombine(low, node, { place: sums, bytes }, out.place, size);
  return out;
}
