// Softmax cross-entropy.

import type { NodeOf } from "@fewnorm/tensor";
import { OP_CROSS_ENTROPY, OP_CROSS_ENTROPY_GRAD } from "../../opcodes.ts";
import type { Lowering, Value } from "../lowering.ts";
import { at, mapped } from "../program.ts";
import { imagesAccess, operand, type Rules } from "./rule.ts";

type Loss = "softmaxCrossEntropy" | "softmaxCrossEntropyGrad";

const rule =
  <P extends Loss>(op: number) =>
  (low: Lowering, node: NodeOf<P>): Value => {
    const typed = node as NodeOf<Loss>;
    const [logits, labels, g] = node.inputs.map((_, i) => low.spread(typed, operand(low, node, i)));
    const [rows = 1, classes = 1] = (logits as Value).shape;
    const operands = [logits as Value, labels as Value, ...(g === undefined ? [] : [g])];
    const out = low.result(typed);
    low.emit({
      op,
      args: [
        ...[logits, labels, g, out].flatMap((value) => [at(value?.place), mapped(value?.map)]),
        ...[rows, classes],
      ],
      accesses: [...operands.map((value) => imagesAccess(value, false)), imagesAccess(out, true)],
      node: node.id,
    });
    return out;
  };

export const lossRules: Rules<Loss> = {
  softmaxCrossEntropy: rule(OP_CROSS_ENTROPY),
  softmaxCrossEntropyGrad: rule(OP_CROSS_ENTROPY_GRAD),
};
