// Named values in the engine's memory.

import { checkSpecs, copyOf, type Queue, type State, type StateSpec } from "@fewnorm/backend";
import { elementsOf, type Shape, sizeOf, toNdArray } from "@fewnorm/tensor";
import type { Heap } from "./engine/heap.ts";
import { fromStored, toStored } from "./plan/layout.ts";

export interface EngineState extends State {
  readonly heap: Heap;
  /** Where a value lies. @throws Error for an unknown name. */
  address(name: string): number;
  /** How many values have been written by the host. */
  readonly writes: number;
  /** @throws Error after `dispose`. */
  checkAlive(where: string): void;
}

/** What states and executables share. */
export interface StateContext {
  readonly heap: Heap;
  readonly queue: Queue;
  /** @throws Error after the backend's `dispose`. */
  checkAlive(where: string): void;
}

export function createEngineState(
  { heap, queue, checkAlive: checkBackend }: StateContext,
  specs: readonly StateSpec[],
): EngineState {
  checkSpecs(specs);
  const places = new Map<string, { address: number; size: number; shape: Shape }>();
  const release = () => {
    for (const { address } of places.values()) heap.free(address);
    places.clear();
  };
  try {
    for (const { name, shape } of specs) {
      const size = sizeOf(shape);
      const address = heap.allocate(4 * size);
      places.set(name, { address, size, shape });
      heap.floats(address, size).fill(0);
    }
  } catch (error) {
    release();
    throw error;
  }
  let disposed = false;
  const checkAlive = (where: string) => {
    checkBackend(where);
    if (disposed) throw new Error(`${where}: the state was disposed; create it again`);
  };
  const find = (where: string, name: string) => {
    checkAlive(where);
    const place = places.get(name);
    if (place === undefined) {
      const names = [...places.keys()].map((known) => `"${known}"`).join(", ");
      throw new Error(`${where}: there is no state "${name}"; there are ${names || "none"}`);
    }
    return place;
  };
  let writes = 0;
  return {
    specs,
    heap,
    checkAlive,
    address: (name) => find("compile", name).address,
    get writes() {
      return writes;
    },
    async read(name) {
      const { address, size, shape } = find("read", name);
      return queue.enter(() =>
        toNdArray(fromStored(heap.floats(address, size) as Float32Array, shape), shape),
      );
    },
    async write(name, value) {
      const { address, size, shape } = find("write", name);
      const elements = elementsOf(`write: "${name}"`, value, shape);
      const kept = queue.busy ? copyOf(elements) : elements;
      await queue.enter(() => {
        toStored(kept, shape, heap.floats(address, size) as Float32Array);
        writes++;
      });
    },
    async dispose() {
      disposed = true;
      await queue.enter(release);
    },
  };
}
