// Max pooling and its gradient.

import type { PoolingAttributes, Shape } from "@fewnorm/tensor";
import { OP_MAX_POOL, OP_MAX_POOL_GRAD } from "../../opcodes.ts";
import { at, mapped } from "../program.ts";
import { imagesAccess, operand, type Rules } from "./rule.ts";

/** The arguments that describe the windows, in the order of assembly/pooling.ts. */
function windows(x: Shape, y: Shape, { kernel, stride, padding }: PoolingAttributes): number[] {
  const [n = 1, c = 1, h = 1, w = 1] = x;
  const [, , oh = 1, ow = 1] = y;
  return [n, c, h, w, oh, ow, ...kernel, ...stride, ...padding];
}

export const poolingRules: Rules<"maxPool" | "maxPoolGrad"> = {
  maxPool(low, node) {
    const x = low.spread(node, operand(low, node, 0));
    const out = low.result(node);
    low.emit({
      op: OP_MAX_POOL,
      args: [
        ...windows(x.shape, node.shape, node.attributes),
        ...[at(x.place), mapped(x.map), at(out.place), mapped(out.map), 0, 0],
      ],
      accesses: [imagesAccess(x, false), imagesAccess(out, true)],
      node: node.id,
    });
    return out;
  },

  maxPoolGrad(low, node) {
    const g = low.spread(node, operand(low, node, 0));
    const x = low.spread(node, operand(low, node, 1));
    const out = low.result(node);
    low.emit({
      op: OP_MAX_POOL_GRAD,
      args: [
        ...windows(x.shape, g.shape, node.attributes),
        ...[at(x.place), mapped(x.map), at(g.place), mapped(g.map)],
        ...[at(out.place), mapped(out.map)],
      ],
      accesses: [imagesAccess(g, false), imagesAccess(x, false), imagesAccess(out, true)],
      node: node.id,
    });
    return out;
  },
};
