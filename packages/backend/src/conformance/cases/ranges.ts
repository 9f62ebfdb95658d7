// Ranges and a window that the chains of primitives use.

import type { RowRange, WindowAttributes } from "@fewnorm/tensor";

export const range = (count: number, offset = 0, modulo = 6, base = 0): RowRange => {
  return { base, modulo, offset, count };
};

export const sampled = range(2);
export const others = range(4, 2);

export const window: WindowAttributes = {
  index: 0,
  height: 4,
  width: 3,
  stride: [1, 1],
  offset: [-1, -1],
};
