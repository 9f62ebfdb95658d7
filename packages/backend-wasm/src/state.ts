// Named values in the engine's memory.

import { checkSpecs, type State, type StateSpec } from "@fewnorm/backend";
import { elementsOf, sizeOf, toNdArray } from "@fewnorm/tensor";
import type { Heap } from "./engine/heap.ts";
import { fromStored, toStored } from "./plan/layout.ts";

export interface EngineState extends State {
  /** Where a value lies. @throws Error for an unknown name. */
  address(name: string): number;
}

export function createEngineState(heap: Heap, specs: readonly StateSpec[]): EngineState {
  checkSpecs(specs);
  const places = new Map(
    specs.map((spec) => {
      const size = sizeOf(spec.shape);
      const address = heap.allocate(4 * size);
      heap.floats(address, size).fill(0);
      return [spec.name, { address, size, shape: spec.shape }] as const;
    }),
  );
  const find = (where: string, name: string) => {
    const place = places.get(name);
    if (place === undefined) {
      throw new Error(`${where}: there is no state "${name}"; it was not created, or is disposed`);
    }
    return place;
  };
  return {
    specs,
    address: (name) => find("compile", name).address,
    async read(name) {
      const { address, size, shape } = find("read", name);
      return toNdArray(fromStored(heap.floats(address, size) as Float32Array, shape), shape);
    },
    async write(name, value) {
      const { address, size, shape } = find("write", name);
      const elements = elementsOf(`write: "${name}"`, value, shape);
      toStored(elements, shape, heap.floats(address, size) as Float32Array);
    },
    async dispose() {
      for (const { address } of places.values()) heap.free(address);
      places.clear();
    },
  };
}
