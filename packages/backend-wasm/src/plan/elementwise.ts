// Element-wise instructions: strides, merging of axes, division between threads.

import { type Node, type Shape, sizeOf } from "@fewnorm/tensor";
import { EACH, EW_COPY, OP_ELEMENTWISE, SHARED, SINGLE } from "../opcodes.ts";
import { rowMajorStrides, storedAxes, storedRowMajor } from "./layout.ts";
import { bytesOf, type Lowering, SMALL, stridesOf, type Value } from "./lowering.ts";
import {
  type Access,
  at,
  mapName,
  mapped,
  type Place,
  type RowMapping,
  rangeOf,
  turnOf,
} from "./program.ts";

/** An operand seen along the axes of an operation: strides in elements, 0 where it is repeated. */
export interface Strided {
  readonly place: Place;
  /** Of the whole value. */
  readonly bytes: number;
  /** Which element of it comes first; default 0. */
  readonly first?: number;
  readonly strides: readonly number[];
  readonly map?: RowMapping | undefined;
}

/** A value broadcast to `shape`, by logical axis. */
export function broadcastTo(value: Value, shape: Shape): Strided {
  const strides = stridesOf(value);
  const missing = shape.length - value.shape.length;
  const repeated = (axis: number) =>
    axis < missing || (value.shape[axis - missing] === 1 && shape[axis] !== 1);
  return {
    place: value.place,
    bytes: value.uniform === undefined ? bytesOf(value.shape) : 4,
    strides: shape.map((_, axis) => (repeated(axis) ? 0 : (strides[axis - missing] as number))),
    map: value.map,
  };
}

/** `value`, without its map where its rows are not the rows of `shape`. */
export function withRowsOf(low: Lowering, node: Node, value: Value, shape: Shape): Value {
  const { map, shape: own } = value;
  const same = own.length === shape.length && own[0] === shape[0];
  return map === undefined || same ? value : low.dense(node, value);
}

interface Axis {
  readonly size: number;
  /** Of out, a, b and c. */
  readonly strides: readonly number[];
}

const single: Axis = { size: 1, strides: [0, 0, 0, 0] };

/** Joins neighbouring axes that every operand walks through as if they were one; the first `keep` stay apart. */
export function mergeAxes(axes: readonly Axis[], keep: number): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes) {
    const outer = merged.at(-1);
    const fits =
      merged.length > keep &&
      outer?.strides.every((stride, i) => stride === axis.size * (axis.strides[i] as number));
    if (outer !== undefined && fits) {
      merged[merged.length - 1] = { size: outer.size * axis.size, strides: axis.strides };
    } else {
      merged.push(axis);
    }
  }
  return merged;
}

/**
 * out = a ∘ b, or a ∘ b·c, over `shape`; strides are by axis of `shape`, which are walked through in the order `order`.
 * With `padded` the rest of out becomes 0: its rows, which are divided between threads, are those of `shape`, SMALL
 * elements and as many rows as threads at least, and two.
 */
export function emitElementwise(
  low: Lowering,
  node: Node,
  kind: number,
  shape: Shape,
  operands: readonly [out: Strided, a: Strided, b?: Strided, c?: Strided],
  {
    order = storedAxes(shape.length),
    padded = false,
  }: { readonly order?: readonly number[]; readonly padded?: boolean } = {},
): void {
  const [out, a] = operands;
  const unused = { ...a, strides: shape.map(() => 0), map: undefined, bytes: 4 };
  const all = [out, a, operands[2] ?? unused, operands[3] ?? unused];
  const used = operands.filter((operand) => operand !== undefined);
  const rows = all.some(({ map }) => map !== undefined);
  const division = divisionOf(sizeOf(shape), used);
  let axes = order.map(
    (axis): Axis => ({
      size: shape[axis] as number,
      strides: all.map(({ strides }) => strides[axis] as number),
    }),
  );
  if (!rows) axes = axes.filter(({ size }) => size > 1);
  const divide = rows || (division === SHARED && (axes[0]?.size ?? 1) >= low.threads);
  axes = mergeAxes(axes, divide ? 1 : 0);
  if ((rows || padded) && axes.length === 1) axes.push(single);
  if (axes.length === 0) axes.push(single);
  const accesses = used.map((operand, i) => accessOf(operand, i, axes, division));
  low.emit({
    op: OP_ELEMENTWISE,
    args: [
      kind,
      division,
      axes.length,
      ...all.flatMap(({ place: { buffer, offset }, first = 0, map }) => [
        at({ buffer, offset: offset + 4 * first }),
        mapped(map),
      ]),
      ...(padded ? [4 * (out.strides[0] as number), 4 * (out.first ?? 0)] : [0, 0]),
      ...axes.map(({ size }) => size),
      ...all.flatMap((_, i) => axes.map(({ strides }) => strides[i] as number)),
    ],
    accesses,
    turn: turnOf(a.map ?? out.map, shape[0]),
    node: node.id,
  });
}

/** Who works: each thread where it is little, unless that would change an operand under another's hands. */
function divisionOf(size: number, [out, ...from]: readonly Strided[]): number {
  if (size >= SMALL) return SHARED;
  const { buffer } = (out as Strided).place;
  const separate =
    buffer.kind === "workspace" && from.every(({ place }) => place.buffer !== buffer);
  return separate ? EACH : SINGLE;
}

/** What an operand touches, and whether each thread touches the rows that are its own everywhere else. */
function accessOf(operand: Strided, i: number, axes: readonly Axis[], division: number): Access {
  const { place, bytes, map } = operand;
  const [first] = axes as [Axis];
  const own = 4 * first.size * (first.strides[i] as number) === bytes || map !== undefined;
  const kind = axes.length === 1 ? "flat" : "rows";
  const shared = own ? `${kind}:${first.size}${mapName(map)}` : "";
  const key = division === SINGLE ? "single" : division === EACH ? "each" : shared;
  return { ...rangeOf(place, bytes, map, first.size), key, write: i === 0 };
}

/** Copies a value, of any map or uniform, to another of its shape. */
export function copyValue(low: Lowering, node: Node, to: Value, from: Value): void {
  const { shape } = to;
  emitElementwise(low, node, EW_COPY, shape, [broadcastTo(to, shape), broadcastTo(from, shape)]);
}

/** The elements of a dense value in row-major order (or back, with `into`), at `place`. */
export function copyRowMajor(
  low: Lowering,
  node: Node,
  value: Value,
  place: Place,
  into: "value" | "place",
): void {
  const { shape } = value;
  const bytes = bytesOf(shape);
  const stored = { place: value.place, bytes, strides: stridesOf(value) };
  const plain = { place, bytes, strides: rowMajorStrides(shape) };
  const operands = into === "value" ? ([stored, plain] as const) : ([plain, stored] as const);
  const order = into === "value" ? storedAxes(shape.length) : shape.map((_, axis) => axis);
  emitElementwise(low, node, EW_COPY, shape, operands, { order });
}

export const needsTransposition = (shape: Shape): boolean => !storedRowMajor(shape);
