// Named values in the engine's memory.

import {
  checkSpecs,
  copyOf,
  createLifetime,
  findState,
  type Lifetime,
  type Queue,
  type State,
  type StateSpec,
} from "@fewnorm/backend";
import { elementsOf, type Shape, sizeOf, toNdArray } from "@fewnorm/tensor";
import type { Heap } from "./engine/heap.ts";
import { fromStored, toStored } from "./plan/layout.ts";

export interface EngineState extends State {
  readonly heap: Heap;
  /** Where a value lies. @throws Error for an unknown name. */
  address(name: string): number;
  /** How many values have been written by the host. */
  readonly writes: number;
  readonly lifetime: Lifetime;
}

/** What states and executables share. */
export interface StateContext {
  readonly heap: Heap;
  readonly queue: Queue;
  /** The backend's. */
  readonly lifetime: Lifetime;
}

export function createEngineState(
  { heap, queue, lifetime: backend }: StateContext,
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
  const lifetime = createLifetime("the state", "create it again", backend);
  const find = (where: string, name: string) => {
    lifetime.check(where);
    return findState(where, name, places);
  };
  let writes = 0;
  return {
    specs,
    heap,
    lifetime,
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
      lifetime.end();
      await queue.enter(release);
    },
  };
}
