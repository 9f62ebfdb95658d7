// Named values. The newest value of each lies on the host, or where the run that computed it left it.

import {
  checkSpecs,
  copyOf,
  createLifetime,
  findState,
  type Lifetime,
  type Queue,
  type SizeCheck,
  type State,
  type StateSpec,
} from "@fewnorm/backend";
import { elementsOf, type Shape, sizeOf, toNdArray } from "@fewnorm/tensor";

/** Brings the newest values of all states that it holds to the host. */
export interface Holder {
  fetch(): Promise<void>;
}

/** One named value. */
export interface StateValue {
  readonly shape: Shape;
  /** The newest value, if nobody else holds it. */
  values: Float32Array;
  /** Who holds the newest value, where the host does not. */
  holder: Holder | undefined;
  /** Counts the changes. */
  version: number;
}

export interface GpuState extends State {
  /** Of which backend it is. */
  readonly queue: Queue;
  /**
   * For executables: it stays usable for runs that were asked for before `dispose`.
   * @throws Error for an unknown name and after `dispose`.
   */
  value(name: string): StateValue;
  readonly lifetime: Lifetime;
}

/** What states and executables share. */
export interface StateContext {
  readonly queue: Queue;
  /** The backend's. */
  readonly lifetime: Lifetime;
  /** Of what the device allows. */
  readonly sizes: SizeCheck;
}

export function createGpuState(
  { queue, lifetime: backend, sizes }: StateContext,
  specs: readonly StateSpec[],
): GpuState {
  checkSpecs(specs);
  sizes.states(specs);
  const held = new Map<string, StateValue>();
  for (const { name, shape } of specs) {
    const values = new Float32Array(sizeOf(shape));
    held.set(name, { shape, values, holder: undefined, version: 0 });
  }
  const lifetime = createLifetime("the state", "create it again", backend);
  const find = (where: string, name: string) => {
    lifetime.check(where);
    return findState(where, name, held);
  };
  return {
    specs,
    queue,
    lifetime,
    value: (name) => find("compile", name),
    async read(name) {
      const one = find("read", name);
      return queue.enter(async () => {
        await one.holder?.fetch();
        return toNdArray(one.values.slice(), one.shape);
      });
    },
    async write(name, value) {
      const one = find("write", name);
      const elements = elementsOf(`write: state "${name}"`, value, one.shape);
      const kept = queue.busy ? copyOf(elements) : elements;
      await queue.enter(() => setOnHost(one, Float32Array.from(kept)));
    },
    async dispose() {
      lifetime.end();
      await queue.enter(() => {
        for (const one of held.values()) setOnHost(one, new Float32Array(0));
        held.clear();
      });
    },
  };
}

/** Gives a state its next value, on the host. */
export function setOnHost(one: StateValue, values: Float32Array): void {
  one.values = values;
  one.holder = undefined;
  one.version++;
}
