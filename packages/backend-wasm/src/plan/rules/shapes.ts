// Reshape, broadcast, slice, pad: views where possible, strided copies otherwise.

import { type Node, type NodeOf, sizeOf } from "@fewnorm/tensor";
import { EW_COPY } from "../../opcodes.ts";
import {
  copyRowMajor,
  copyValue,
  emitElementwise,
  needsTransposition,
  type Strided,
  withRowsOf,
} from "../elementwise.ts";
import { bytesOf, emitFill, type Lowering, SMALL, stridesOf, type Value } from "../lowering.ts";
import { operand, type Rules } from "./rule.ts";

/** Elements between the first and the one at `position`. */
const distance = (position: readonly number[], strides: readonly number[]): number =>
  position.reduce((sum, index, axis) => sum + index * (strides[axis] as number), 0);

const wholeOf = (value: Value): Strided => ({
  place: value.place,
  bytes: bytesOf(value.shape),
  strides: stridesOf(value),
});

/** A slice where its operand lies. */
function sliceOf(low: Lowering, node: NodeOf<"slice">): Strided {
  const { start, stride } = node.attributes;
  const { place, bytes, strides } = wholeOf(low.dense(node, operand(low, node, 0)));
  return {
    place,
    bytes,
    first: distance(start, strides),
    strides: strides.map((own, axis) => own * (stride[axis] as number)),
  };
}

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
    const { shape } = node;
    const x = operand(low, node, 0);
    if (x.uniform !== undefined) return { ...x, shape };
    const source = sliceOf(low, node);
    const out = low.result(node);
    emitElementwise(low, node, EW_COPY, shape, [wholeOf(out), source]);
    return out;
  },
  pad(low, node) {
    const { shape, attributes } = node;
    const from = low.graph.nodes[node.inputs[0] as number] as Node;
    const source =
      from.op === "slice" && low.analysis.inside.has(from.id)
        ? sliceOf(low, from)
        : wholeOf(low.dense(node, operand(low, node, 0)));
    const out = low.result(node);
    const strides = stridesOf(out);
    const target: Strided = {
      ...wholeOf(out),
      first: distance(attributes.before, strides),
      strides: strides.map((stride, axis) => stride * (attributes.interior[axis] as number)),
    };
    const [rows = 1] = shape;
    const byRows = rows === from.shape[0] && rows >= Math.max(2, low.threads);
    const padded = byRows && sizeOf(from.shape) >= SMALL;
    if (!padded) emitFill(low, node, out.place, shape, 0);
    emitElementwise(low, node, EW_COPY, from.shape, [target, source], { padded });
    return out;
  },
};
