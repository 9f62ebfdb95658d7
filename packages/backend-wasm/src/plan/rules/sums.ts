// Sums over axes.

import type { NodeOf } from "@fewnorm/tensor";
import { sizeOf } from "@fewnorm/tensor";
import { OP_SUM_PARTIAL, OP_SUM_ROWS } from "../../opcodes.ts";
import { mergeAxes, wholeOf } from "../elementwise.ts";
import { storedAxes, storedStrides } from "../layout.ts";
import { bytesOf, type Lowering, SMALL, stridesOf, type Value } from "../lowering.ts";
import { at, mapName, mapped, reads, writes } from "../program.ts";
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
    const single = sizeOf(x.shape) < SMALL;
    const all = storedAxes(x.shape.length).map((axis) => ({
      size: x.shape[axis] as number,
      strides: [strides[axis] as number, target[axis] as number],
    }));
    const rowsKept = x.shape.length > 0 && !summed.has(0);
    const divided = !single && (x.shape[0] ?? 1) >= low.threads;
    const merged = mergeAxes(all, rowsKept || divided || x.map !== undefined ? 1 : 0);
    const axes = merged.length > 0 ? merged : [{ size: 1, strides: [1, 0] }];
    const description = {
      x,
      single,
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
  readonly single: boolean;
  readonly rank: number;
  readonly rows: number;
  readonly args: readonly number[];
}

/** The first axis stays: each thread sums its rows. */
function sumOfRows(low: Lowering, node: NodeOf<"sum">, sum: Description) {
  const out = low.result(node);
  const { x, single, rank, rows, args } = sum;
  const key = single ? "single" : `rows:${rows}`;
  const from = x.map === undefined ? { place: x.place, bytes: bytesOf(x.shape) } : wholeOf(x.place);
  low.emit({
    op: OP_SUM_ROWS,
    args: [
      ...[Number(single), rank, at(x.place), mapped(x.map), at(out.place)],
      sizeOf(node.shape) / rows,
      ...args,
    ],
    accesses: [
      reads(from.place, from.bytes, single ? key : key + mapName(x.map)),
      writes(out.place, bytesOf(node.shape), key),
    ],
    node: node.id,
  });
  return out;
}

/** The first axis is summed: each thread sums its share, then the threads' sums are added. */
function sumOfAll(low: Lowering, node: NodeOf<"sum">, sum: Description) {
  const length = sizeOf(node.shape);
  const { x, single, rank, rows, args } = sum;
  const partial = { place: low.allocate(4 * length * low.threads), bytes: 4 * length };
  const kind = rank === 1 && x.map === undefined ? "flat" : "rows";
  const key = single ? "single" : `${kind}:${rows}${mapName(x.map)}`;
  const from = x.map === undefined ? { place: x.place, bytes: bytesOf(x.shape) } : wholeOf(x.place);
  low.emit({
    op: OP_SUM_PARTIAL,
    args: [
      ...[Number(single), rank, at(x.place), mapped(x.map), at(partial.place), length],
      ...args,
    ],
    accesses: [
      reads(from.place, from.bytes, key),
      writes(partial.place, partial.bytes * low.threads, "thread"),
    ],
    turn: x.map,
    node: node.id,
  });
  const out = low.result(node);
  emitCombine(low, node, partial, out.place, { rows: 1, length, rowFloats: length });
  return out;
}
