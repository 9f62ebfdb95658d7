// Values that come from outside of the graph.

import { argument, isLiteral, type Lowering, numberOf } from "./lowering.ts";

export const input: Lowering<"input"> = ({ node }) =>
  argument(node.shape, { from: "feed", name: node.attributes.name });

export const state: Lowering<"state"> = ({ node }) =>
  argument(node.shape, { from: "state", name: node.attributes.name });

export const constant: Lowering<"constant"> = ({ node }) => {
  const { values } = node.attributes;
  return typeof values === "number" && isLiteral(values)
    ? numberOf(values, node.shape)
    : argument(node.shape, { from: "constant", values });
};
