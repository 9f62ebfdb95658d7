// Reverse-mode differentiation of a recorded graph, as more graph.

import { accumulate } from "./accumulate.ts";
import { gradientRules } from "./gradient-rules.ts";
import type { Builder, Tensor } from "./graph.ts";
import { checkKind, checkOptions } from "./options.ts";
import type { Node, NodeOf, Primitive } from "./primitives.ts";
import { recomputing } from "./recompute.ts";
import { sameShape, showShape } from "./shape.ts";

/** Options of {@link grad}. */
export interface GradOptions {
  /**
   * Saves memory for a little time: feature maps that up to so many normalizations, slices and pads make of what is
   * held anyway are computed once more in the backward pass; 0, the default, holds all. The result is the same.
   */
  readonly recompute?: number;
}

/**
 * ∂loss/∂x for each tensor of `wrt`, recorded in the same graph. Zero where the loss does not
 * depend on it.
 * @throws RangeError unless the loss has one element, for a `recompute` that is no whole number >= 0, and for a custom
 *   gradient that is not shaped as its operand.
 * @throws TypeError for tensors of another graph, and for a `wrt` that is no array.
 * @throws Error at a primitive without gradient.
 */
export function grad<const W extends readonly Tensor[]>(
  loss: Tensor,
  wrt: W,
  options: GradOptions = {},
): { -readonly [I in keyof W]: Tensor } {
  checkOptions("grad", options, { recompute: "number" });
  checkKind("grad", "wrt", wrt, "array");
  const { recompute = 0 } = options;
  const { builder } = loss;
  if (loss.shape.some((length) => length !== 1)) {
    throw new RangeError(
      `grad: the loss is ${showShape(loss.shape)}; reduce it to one element, with mean() or sum()`,
    );
  }
  if (wrt.some((tensor) => tensor.builder !== builder)) {
    throw new TypeError("grad: a tensor belongs to another graph than the loss; use one trace's");
  }
  if (!(Number.isSafeInteger(recompute) && recompute >= 0)) {
    throw new RangeError(`grad: recompute is ${recompute}; give a whole number of nodes >= 0`);
  }
  const dependent = dependentOn(builder, loss.id, wrt);
  const read = recomputing(builder, recompute);
  const parts = new Map<number, Tensor[]>([[loss.id, [builder.constant(1, loss.shape)]]]);
  const results = new Map<number, Tensor>();
  for (let id = loss.id; id >= 0; id--) {
    const contributions = parts.get(id);
    if (contributions === undefined) continue;
    const node = builder.nodes[id] as Node;
    builder.labelled(node.label, () => {
      const g = accumulate(contributions);
      results.set(id, g);
      for (const [operand, part] of operandGradients(builder, node, g, dependent, read)) {
        const list = parts.get(operand);
        if (list === undefined) parts.set(operand, [part]);
        else list.push(part);
      }
    });
    parts.delete(id);
  }
  const gradients = wrt.map(
    (tensor) => results.get(tensor.id) ?? builder.constant(0, tensor.shape),
  );
  return gradients as { -readonly [I in keyof W]: Tensor };
}

/** Marks the nodes up to `last` that depend on one of `wrt`, following custom gradients' operands. */
function dependentOn(builder: Builder, last: number, wrt: readonly Tensor[]): boolean[] {
  const dependent: boolean[] = [];
  const targets = new Set(wrt.map((tensor) => tensor.id));
  for (let id = 0; id <= last; id++) {
    const node = builder.nodes[id] as Node;
    const from = builder.customGradients.get(id)?.inputs.map((t) => t.id) ?? node.inputs;
    dependent[id] = targets.has(id) || from.some((operand) => dependent[operand]);
  }
  return dependent;
}

function operandGradients(
  builder: Builder,
  node: Node,
  g: Tensor,
  dependent: readonly boolean[],
  read: (tensor: Tensor) => Tensor,
): [number, Tensor][] {
  const custom = builder.customGradients.get(node.id);
  if (custom !== undefined) {
    const parts = custom.vjp(g);
    return custom.inputs.flatMap((operand, i): [number, Tensor][] => {
      const part = parts[i];
      if (part === undefined) return [];
      checkPart(part, operand, node);
      return dependent[operand.id] ? [[operand.id, part]] : [];
    });
  }
  if (!node.inputs.some((operand) => dependent[operand])) return [];
  const rules = rulesOf(builder, node, g, read);
  // Last operands first: gradients of weights are sums, which threads or further stages have to complete.
  return [...node.inputs.entries()].reverse().flatMap(([i, operand]): [number, Tensor][] => {
    const rule = rules[i];
    return rule !== undefined && dependent[operand] ? [[operand, rule()]] : [];
  });
}

/** A custom gradient is somebody's own: one of another shape would spread, by broadcasting, where nobody looks. */
function checkPart(part: Tensor, operand: Tensor, { label }: Node): void {
  if (sameShape(part.shape, operand.shape)) return;
  throw new RangeError(
    `grad: a custom gradient${label === "" ? "" : ` of layer "${label}"`} is ${showShape(part.shape)}; it must be ${showShape(operand.shape)}, as its operand`,
  );
}

function rulesOf<P extends Primitive>(
  builder: Builder,
  node: Node,
  g: Tensor,
  read: (tensor: Tensor) => Tensor,
) {
  const typed = node as unknown as NodeOf<P>;
  const rule = gradientRules[node.op as P];
  // What is read is computed here: not before its value is needed, and a shape is none.
  const needed = node.op === "conv2d" || node.op === "maxPool" ? read : (same: Tensor) => same;
  return rule({
    node: typed,
    x: node.inputs.map((id) => needed(builder.tensor(id))),
    get y() {
      return read(builder.tensor(node.id));
    },
    g,
  });
}
