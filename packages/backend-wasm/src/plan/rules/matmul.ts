// The matrix product: a 1 × 1 convolution whose pixels are the rows.

import { type Node, sizeOf } from "@fewnorm/tensor";
import { EW_COPY, OP_MATMUL, OP_PACK } from "../../opcodes.ts";
import { emitElementwise } from "../elementwise.ts";
import { bytesOf, type Lowering, type Value } from "../lowering.ts";
import { at, reads, writes } from "../program.ts";
import { blocks, emitPack, weightsOf } from "./convolution-shared.ts";
import { operand, type Rules } from "./rule.ts";

export const matmulRules: Rules<"matmul"> = {
  matmul(low, node) {
    const { transposeA, transposeB } = node.attributes;
    const [rows = 1, columns = 1] = node.shape;
    const a = operand(low, node, 0);
    const depth = (transposeA ? a.shape[0] : a.shape[1]) ?? 1;
    const left = transposeA ? transposed(low, node, a) : low.dense(node, a);
    const weights = weightsOf(low, node, 1);
    const packedBytes = 4 * blocks(columns) * depth;
    const strides = transposeB ? [depth, 1] : [1, columns];
    const packed = emitPack(low, node, OP_PACK, weights, packedBytes, [
      1,
      columns,
      depth,
      ...strides,
    ]);
    const out = low.result(node);
    low.emit({
      op: OP_MATMUL,
      args: [at(left.place), at(packed), at(out.place), rows, depth, columns],
      accesses: [
        reads(left.place, bytesOf(left.shape)),
        reads(packed, packedBytes),
        writes(out.place, 4 * rows * columns, `quads:${rows}`),
      ],
      node: node.id,
    });
    return out;
  },
};

/** A matrix with its axes exchanged, as a copy. */
function transposed(low: Lowering, node: Node, value: Value): Value {
  const from = low.dense(node, value);
  const [m = 1, n = 1] = from.shape;
  const shape = [n, m];
  const out = { shape, place: low.allocate(4 * sizeOf(shape)) };
  const bytes = 4 * m * n;
  emitElementwise(low, node, EW_COPY, shape, [
    { place: out.place, bytes, strides: [m, 1] },
    { place: from.place, bytes, strides: [1, n] },
  ]);
  return out;
}
