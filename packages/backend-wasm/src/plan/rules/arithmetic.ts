// Element-wise arithmetic.

import type { Node, NodeOf } from "@fewnorm/tensor";
import {
  EW_ADD,
  EW_ADD_PRODUCT,
  EW_DIVIDE,
  EW_MULTIPLY,
  EW_RELU,
  EW_RELU_GRAD,
  EW_SQRT,
  EW_SUBTRACT,
  EW_SUBTRACT_PRODUCT,
} from "../../opcodes.ts";
import { operandsOf } from "../analysis.ts";
import { broadcastTo, emitElementwise, type Strided, withRowsOf } from "../elementwise.ts";
import type { Lowering, Value } from "../lowering.ts";
import type { Rules } from "./rule.ts";

type Arithmetic = "add" | "subtract" | "multiply" | "divide" | "sqrt" | "relu" | "reluGrad";

const rule =
  <P extends Arithmetic>(kind: number) =>
  (low: Lowering, node: NodeOf<P>): Value => {
    const { shape } = node;
    const typed = node as NodeOf<Arithmetic>;
    const fused = fusedValue(low, typed);
    if (fused !== undefined) return fused;
    const values = operandsOf(typed, low.analysis.products).map((id) =>
      withRowsOf(low, typed, low.value(id), shape),
    );
    const out = low.result(typed, values);
    const [a, b, c] = values.map((value) => broadcastTo(value, shape));
    const own = c === undefined ? kind : withProduct(kind);
    emitElementwise(low, typed, own, shape, [broadcastTo(out, shape), a as Strided, b, c]);
    return out.map === undefined ? { ...out, order: values[0]?.map } : out;
  };

const withProduct = (kind: number): number =>
  kind === EW_ADD ? EW_ADD_PRODUCT : EW_SUBTRACT_PRODUCT;

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
