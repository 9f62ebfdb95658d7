// A check of sizes, made before any memory is taken.

import { type Graph, type Shape, showShape, sizeOf } from "@fewnorm/tensor";
import type { StateSpec } from "./backend.ts";

/** Refuses tensors that are larger than a backend's `limits.maxTensorBytes`. */
export interface SizeCheck {
  /** @throws Error for a state that is larger. */
  states(specs: readonly StateSpec[]): void;
  /** @throws Error, naming operation and layer, for a node that is larger. */
  graph(graph: Graph): void;
}

/**
 * The check of a backend.
 * @param description what messages call the backend
 */
export function sizeCheck(
  description: string,
  maxTensorBytes: number,
  bytesPerElement = 4,
): SizeCheck {
  const check = (where: string, shape: Shape): void => {
    const bytes = bytesPerElement * sizeOf(shape);
    if (bytes <= maxTensorBytes) return;
    throw new Error(
      `${where}: a tensor ${showShape(shape)} needs ${bytes} bytes; the limit of ${description} is ${maxTensorBytes}; use a smaller batch or model, or a backend without that limit`,
    );
  };
  return {
    states(specs) {
      for (const { name, shape } of specs) check(`createState: "${name}"`, shape);
    },
    graph({ nodes }) {
      for (const { shape, op, label } of nodes) {
        check(`compile: ${op}${label === "" ? "" : ` of layer "${label}"`}`, shape);
      }
    },
  };
}
