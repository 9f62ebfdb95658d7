// Reshape, broadcast, slice, pad: views where possible, strided copies otherwise.

import { sizeOf } from "@fewnorm/tensor";
import { EW_COPY } from "../../opcodes.ts";
import {
  copyRowMajor,
  copyValue,
  emitElementwise,
  needsTransposition,
  type Strided,
  withRowsOf,
} from "../elementwise.ts";
import { bytesOf, emitFill, stridesOf } from "../lowering.ts";
import type { Place } from "../program.ts";
import { operand, type Rules } from "./rule.ts";

/** A place some elements further on. */
const move = ({ buffer, offset }: Place, elements: number): Place => ({
  buffer,
  offset: offset + 4 * elements,
});

/** Elements between the first and the one at `position`. */
const distance = (position: readonly number[], strides: readonly number[]): number =>
  position.reduce((sum, index, axis) => sum + index * (strides[axis] as number), 0);

export const shapeRules: Rules<"reshape" | "broadcast" | "slice" | "pad"> = {
  reshape(low, node) {
    const { shape } = node;
    const x = operand(low, node, 0);
    if (x.uniform !== undefined) return { ...x, shape };
    const rowsKept = x.map === undefined || x.shape[0] === shape[0];
    if (rowsKept && !needsTransposition(x.shape) && !needsTransposition(shape)) {
      return { shape, place: x.place, map: x.map };
    }
    let from = low.dense(node, x);
    if (needsTransposition(from.shape)) {
      const plain = low.allocate(bytesOf(shape));
      copyRowMajor(low, node, from, plain, "place");
      from = { shape: [sizeOf(shape)], place: plain };
    }
    if (!needsTransposition(shape)) return { shape, place: from.place };
    const out = low.result(node);
    copyRowMajor(low, node, out, from.place, "value");
    return out;
  },
  broadcast(low, node) {
    const { shape } = node;
    const x = operand(low, node, 0);
    if (x.uniform !== undefined) return { ...x, shape };
    const out = low.result(node);
    copyValue(low, node, out, withRowsOf(low, node, x, shape));
    return out;
  },
  slice(low, node) {
    const { shape, attributes } = node;
    const x = operand(low, node, 0);
    if (x.uniform !== undefined) return { ...x, shape };
    const from = low.dense(node, x);
    const strides = stridesOf(from);
    const out = low.result(node);
    const source: Strided = {
      place: move(from.place, distance(attributes.start, strides)),
      bytes: bytesOf(from.shape) - 4 * distance(attributes.start, strides),
      strides: strides.map((stride, axis) => stride * (attributes.stride[axis] as number)),
    };
    const target = { place: out.place, bytes: bytesOf(shape), strides: stridesOf(out) };
    emitElementwise(low, node, EW_COPY, shape, [target, source]);
    return out;
  },
  pad(low, node) {
    const { shape, attributes } = node;
    const x = low.spread(node, operand(low, node, 0));
    const out = low.result(node);
    emitFill(low, node, out.place, shape, 0);
    const strides = stridesOf(out);
    const target: Strided = {
      place: move(out.place, distance(attributes.before, strides)),
      bytes: bytesOf(shape) - 4 * distance(attributes.before, strides),
      strides: strides.map((stride, axis) => stride * (attributes.interior[axis] as number)),
    };
    const from = low.dense(node, x);
    const source = { place: from.place, bytes: bytesOf(from.shape), strides: stridesOf(from) };
    emitElementwise(low, node, EW_COPY, from.shape, [target, source]);
    return out;
  },
};
