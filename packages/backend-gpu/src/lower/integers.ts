// int32 tensors: the host computes them, since kernels know float32 only. Kernels see labels, and, in slots, the
// origins of regions, reduced to small numbers that float32 holds exactly.

import type { RowRange, WindowAttributes } from "@fewnorm/tensor";

/** One dynamic number that kernels read. */
type Slot =
  | {
      readonly of: number;
      readonly index: number;
      readonly turn: Pick<RowRange, "offset" | "modulo">;
    }
  | { readonly of: number; readonly index: number; readonly scale: number; readonly shift: number };

/** Where the numbers that are known at each run only lie: all in one array. */
export interface Slots {
  /** (start + offset) mod modulo. */
  row(node: number, index: number, range: RowRange): number;
  /** The window's top and left: origin · stride + offset. */
  corner(node: number, window: WindowAttributes): readonly [number, number];
  readonly count: number;
  /** The slots' values, from those of the int32 nodes. */
  values(integers: ReadonlyMap<number, Int32Array>): Float32Array;
}

export function createSlots(): Slots {
  const slots: Slot[] = [];
  const known = new Map<string, number>();
  function add(slot: Slot): number {
    const identity = JSON.stringify(slot);
    const at = known.get(identity) ?? slots.push(slot) - 1;
    known.set(identity, at);
    return at;
  }
  return {
    row: (of, index, { offset, modulo }) => add({ of, index, turn: { offset, modulo } }),
    corner: (of, { index, stride, offset }) => [
      add({ of, index, scale: stride[0], shift: offset[0] }),
      add({ of, index: index + 1, scale: stride[1], shift: offset[1] }),
    ],
    get count() {
      return slots.length;
    },
    values(integers) {
      return Float32Array.from(slots, (slot) => {
        const value = integers.get(slot.of)?.[slot.index] ?? 0;
        if ("turn" in slot) {
          const { offset, modulo } = slot.turn;
          return (((value + offset) % modulo) + modulo) % modulo;
        }
        // A window that far outside of any map is as good as one farther away.
        return Math.min(2 ** 22, Math.max(-(2 ** 22), value * slot.scale + slot.shift));
      });
    },
  };
}
