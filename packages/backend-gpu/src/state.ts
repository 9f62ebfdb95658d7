// Named values. They lie on the host between runs and travel with each.

import { checkSpecs, type State, type StateSpec } from "@fewnorm/backend";
import { checkShape, elementsOf, type Shape, sizeOf, toNdArray } from "@fewnorm/tensor";
import { copyOf, type Queue } from "./queue.ts";

export interface GpuState extends State {
  /** Of which backend it is. */
  readonly queue: Queue;
  values(name: string): Float32Array;
  replace(name: string, values: Float32Array): void;
  /** @throws Error after `dispose`. */
  checkAlive(where: string): void;
}

/** What states and executables share. */
export interface StateContext {
  readonly queue: Queue;
  /** @throws Error after the backend's `dispose`. */
  checkAlive(where: string): void;
  /** @throws Error for a tensor that is larger than the device allows. */
  checkSize(where: string, shape: Shape): void;
}

export function createGpuState(
  { queue, checkAlive: checkBackend, checkSize }: StateContext,
  specs: readonly StateSpec[],
): GpuState {
  checkSpecs(specs);
  const held = new Map<string, { readonly shape: Shape; values: Float32Array }>();
  for (const { name, shape } of specs) {
    checkShape(`createState: "${name}"`, shape);
    checkSize(`createState: "${name}"`, shape);
    held.set(name, { shape, values: new Float32Array(sizeOf(shape)) });
  }
  let disposed = false;
  const checkAlive = (where: string) => {
    checkBackend(where);
    if (disposed) throw new Error(`${where}: the state was disposed; create it again`);
  };
  const find = (where: string, name: string) => {
    checkAlive(where);
    const one = held.get(name);
    if (one === undefined) {
      const names = [...held.keys()].map((known) => `"${known}"`).join(", ");
      throw new Error(`${where}: there is no state "${name}"; there are ${names || "none"}`);
    }
    return one;
  };
  return {
    specs,
    queue,
    checkAlive,
    values: (name) => find("run", name).values,
    replace(name, values) {
      find("run", name).values = values;
    },
    async read(name) {
      const one = find("read", name);
      return queue.enter(() => toNdArray(one.values.slice(), one.shape));
    },
    async write(name, value) {
      const one = find("write", name);
      const elements = elementsOf(`write: state "${name}"`, value, one.shape);
      const kept = queue.busy ? copyOf(elements) : elements;
      await queue.enter(() => {
        one.values = Float32Array.from(kept);
      });
    },
    async dispose() {
      disposed = true;
      held.clear();
    },
  };
}
