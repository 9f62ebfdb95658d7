// The primitive `sum`, and the matrix product.

import { type Lowering, loop, often, once, operand, spread, view } from "./lowering.ts";
import { sums } from "./reduction.ts";

export const sum: Lowering<"sum"> = ({ node, x }) => {
  const of = operand(x, 0);
  const { axes } = node.attributes;
  if (axes.length === 0) return view(node.shape, once(of), (_, at) => at);
  const { operands, total } = sums({
    over: of.shape,
    axes,
    operands: [spread(of)],
    count: 1,
    begin: (e) => (_, at) => [e.read(of, at)],
  });
  return loop(node.shape, operands, (e, at) => total(e, ["0"], at)[0] as string);
};

export const matmul: Lowering<"matmul"> = ({ node, x }) => {
  const [a, b] = [operand(x, 0), operand(x, 1)];
  const { transposeA, transposeB } = node.attributes;
  const inner = a.shape[transposeA ? 0 : 1] as number;
  return loop(node.shape, [often(a), often(b)], (e, [i = "0", j = "0"]) => {
    const total = e.variable("0");
    e.loop(inner, (k) => {
      const left = e.read(a, transposeA ? [k, i] : [i, k]);
      const right = e.read(b, transposeB ? [j, k] : [k, j]);
      e.statement(`${total} += ${left} * ${right};`);
    });
    return total;
  });
};
