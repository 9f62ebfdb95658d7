// Element by element, the binary ones with NumPy's broadcasting.

import { type Shape, sameShape, sizeOf } from "@fewnorm/tensor";
import type { Emitter } from "../kernel/emitter.ts";
import type { Coordinates, Lowered, Operand } from "../lowered.ts";
import {
  type Lowering,
  once,
  operand,
  pointwise,
  relu as rectified,
  spread,
  view,
} from "./lowering.ts";
import { rowsOf } from "./regions.ts";

type Binary = "add" | "subtract" | "multiply" | "divide";

/** The coordinates of what broadcasts to the element at `at`. */
const broadcastTo = (shape: Shape, at: Coordinates): Coordinates =>
  shape.map((length, axis) => (length === 1 ? "0" : (at[at.length - shape.length + axis] ?? "0")));

/** An operand that may be broadcast to `shape`. */
const broadcastOperand = (of: Lowered, shape: Shape): Operand =>
  sizeOf(of.shape) === sizeOf(shape) ? once(of) : spread(of);

const readBroadcast = (e: Emitter, of: Lowered, at: Coordinates): string =>
  e.read(of, broadcastTo(of.shape, at));

const binary =
  (operator: "+" | "-" | "*" | "/"): Lowering<Binary> =>
  ({ node, x }) => {
    const [a, b] = [operand(x, 0), operand(x, 1)];
    const operands =
      a === b ? [spread(a)] : [broadcastOperand(a, node.shape), broadcastOperand(b, node.shape)];
    return pointwise(node.shape, operands, (e, at) =>
      e.name(`${readBroadcast(e, a, at)} ${operator} ${readBroadcast(e, b, at)}`),
    );
  };

export const add: Lowering<"add"> = binary("+");
export const subtract: Lowering<"subtract"> = binary("-");
export const multiply: Lowering<"multiply"> = binary("*");
export const divide: Lowering<"divide"> = binary("/");

export const sqrt: Lowering<"sqrt"> = ({ node, x }) =>
  pointwise(node.shape, [once(operand(x, 0))], (e, at) =>
    e.name(`Math.sqrt(${e.read(operand(x, 0), at)})`),
  );

export const relu: Lowering<"relu"> = ({ node, x }) =>
  pointwise(node.shape, [once(operand(x, 0))], (e, at) =>
    e.name(rectified(e.name(e.read(operand(x, 0), at)))),
  );

export const reluGrad: Lowering<"reluGrad"> = ({ node, x, shared }) => {
  const [g, y] = [operand(x, 0), operand(x, 1)];
  const [gRows, yRows] = [g.rows, y.rows];
  if (gRows === undefined || yRows === undefined || !sameRows(gRows, yRows)) {
    return masked(node.shape, g, y);
  }
  // The same rows of both: their wholes are masked once, for the other rows as well, where g's whole is computed.
  const { whole, range, slot } = gRows;
  const mask = shared(whole, yRows.whole, () => masked(whole.shape, whole, yRows.whole));
  return rowsOf(mask, range, slot);
};

function masked(shape: Shape, g: Lowered, y: Lowered): Lowered {
  const operands = g === y ? [spread(g)] : [once(g), once(y)];
  return pointwise(shape, operands, (e, at) =>
    e.name(`${e.read(y, at)} > 0 ? ${e.read(g, at)} : 0`),
  );
}

type Rows = NonNullable<Lowered["rows"]>;

/** Of as many rows of each. A slot is one of its offset and modulus. */
const sameRows = (a: Rows, b: Rows): boolean =>
  a.slot === b.slot && a.range.base === b.range.base && sameShape(a.whole.shape, b.whole.shape);

export const broadcast: Lowering<"broadcast"> = ({ node, x }) => {
  const of = operand(x, 0);
  return view(node.shape, broadcastOperand(of, node.shape), (_, at) => broadcastTo(of.shape, at));
};
