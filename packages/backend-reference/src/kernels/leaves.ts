// Values that come from outside the graph. They are copied, so that nothing a run does shows elsewhere.

import type { Kernel } from "../kernel.ts";

export const input: Kernel<"input"> = ({ node, feeds, y }) => {
  y.set(feeds.get(node.attributes.name)!);
};

export const state: Kernel<"state"> = ({ node, states, y }) => {
  y.set(states.get(node.attributes.name)!);
};

export const constant: Kernel<"constant"> = ({ node, y }) => {
  const { values } = node.attributes;
  if (typeof values === "number") y.fill(values);
  else y.set(values);
};
