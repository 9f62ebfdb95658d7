// int32 tensors: the host computes them, since kernels know float32 only. Kernels see labels, and, in slots, the
// origins of regions, reduced to small numbers that float32 holds exactly.

import type { Graph, Node, RowRange, WindowAttributes } from "@fewnorm/tensor";
import { type Shape, sizeOf } from "@fewnorm/tensor";

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

/** The values of all int32 nodes, which only ever come from inputs and constants. */
export function computeIntegers(
  graph: Graph,
  feeds: ReadonlyMap<string, ArrayLike<number>>,
): Map<number, Int32Array> {
  const values = new Map<number, Int32Array>();
  for (const node of graph.nodes) {
    if (node.dtype === "int32") values.set(node.id, compute(node, graph, values, feeds));
  }
  return values;
}

function compute(
  node: Node,
  graph: Graph,
  values: ReadonlyMap<number, Int32Array>,
  feeds: ReadonlyMap<string, ArrayLike<number>>,
): Int32Array {
  const x = (index: number): Int32Array => {
    const value = values.get(node.inputs[index] as number);
    if (value === undefined) throw new Error(`run: ${node.op} has no int32 operand ${index}`);
    return value;
  };
  switch (node.op) {
    case "input":
      return Int32Array.from(feeds.get(node.attributes.name) as ArrayLike<number>);
    case "constant": {
      const { values: given } = node.attributes;
      return typeof given === "number"
        ? new Int32Array(sizeOf(node.shape)).fill(given)
        : Int32Array.from(given);
    }
    case "reshape":
      return x(0);
    case "rows": {
      const { index, range } = node.attributes;
      const from = graph.nodes[node.inputs[0] as number] as { readonly shape: Shape };
      const size = sizeOf(from.shape.slice(1));
      const result = new Int32Array(sizeOf(node.shape));
      for (let i = 0; i < range.count; i++) {
        const turned = ((x(1)[index] as number) + range.offset + i) % range.modulo;
        const row = range.base + (turned < 0 ? turned + range.modulo : turned);
        result.set(x(0).subarray(row * size, (row + 1) * size), i * size);
      }
      return result;
    }
    default:
      throw new Error(`compile: ${node.op} gives no int32 tensor; the graph is malformed`);
  }
}
