// Inputs, states, constants.

import { sizeOf } from "@fewnorm/tensor";
import { copyRowMajor, needsTransposition } from "../elementwise.ts";
import { toStored } from "../layout.ts";
import { bytesOf } from "../lowering.ts";
import type { Rules } from "./rule.ts";

export const leafRules: Rules<"input" | "state" | "constant"> = {
  // The host writes row-major elements; images are turned round by the plan, on all threads.
  input(low, node) {
    const { shape } = node;
    const fed = low.allocate(bytesOf(shape));
    fed.buffer.fed = true;
    low.feed(node.attributes.name, fed);
    if (!needsTransposition(shape)) return { shape, place: fed };
    const value = { shape, place: low.allocate(bytesOf(shape)) };
    copyRowMajor(low, node, value, fed, "value");
    return value;
  },
  state: (low, { shape, attributes }) => ({ shape, place: low.state(attributes.name) }),
  constant(low, { shape, dtype, attributes: { values } }) {
    if (typeof values === "number" && dtype === "float32") {
      return { shape, place: low.constant([values], dtype), uniform: values };
    }
    const all = typeof values === "number" ? new Array<number>(sizeOf(shape)).fill(values) : values;
    const stored = dtype === "int32" ? new Int32Array(all.length) : new Float32Array(all.length);
    toStored(all, shape, stored);
    return { shape, place: low.constant(stored, dtype) };
  },
};
