// Element-wise arithmetic.

import type { Node, NodeOf } from "@fewnorm/tensor";
import {
  EW_ADD,
  EW_DIVIDE,
  EW_MULTIPLY,
  EW_RELU,
  EW_RELU_GRAD,
  EW_SQRT,
  EW_SUBTRACT,
} from "../../opcodes.ts";
import { broadcastTo, emitElementwise, withRowsOf } from "../elementwise.ts";
import type { Lowering, Value } from "../lowering.ts";
import { operand, type Rules } from "./rule.ts";

type Arithmetic = "add" | "subtract" | "multiply" | "divide" | "sqrt" | "relu" | "reluGrad";

const rule =
  <P extends Arithmetic>(kind: number) =>
  (low: Lowering, node: NodeOf<P>): Value => {
    const { shape } = node;
    const typed = node as NodeOf<Arithmetic>;
    const fused = fusedValue(low, typed);
    if (fused !== undefined) return fused;
    const values = node.inputs.map((_, i) => withRowsOf(low, typed, operand(low, node, i), shape));
    const out = low.result(typed, values);
    const [a, b] = values.map((value) => broadcastTo(value, shape));
    emitElementwise(low, typed, kind, shape, [
      broadcastTo(out, shape),
      a as NonNullable<typeof a>,
      b,
    ]);
    return out.map === undefined ? { ...out, order: values[0]?.map } : out;
  };

/** The value of a product, sum or masked gradient that other kernels compute in passing. */
function fusedValue(low: Lowering, { id, inputs }: Node): Value | undefined {
  const { scaled, summed, masked } = low.analysis;
  if (masked.passed.has(id)) return low.value(inputs[0] as number);
  const product = scaled.get(id);
  if (product !== undefined) {
    const weights = low.value(product.weights);
    return { ...weights, scale: low.value(product.scale) };
  }
  const gradient = summed.sum.get(id);
  return gradient === undefined ? undefined : low.value(gradient);
}

export const arithmeticRules: Rules<Arithmetic> = {
  add: rule(EW_ADD),
  subtract: rule(EW_SUBTRACT),
  multiply: rule(EW_MULTIPLY),
  divide: rule(EW_DIVIDE),
  sqrt: rule(EW_SQRT),
  relu: rule(EW_RELU),
  reluGrad: rule(EW_RELU_GRAD),
};
