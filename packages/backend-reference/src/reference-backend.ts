// The reference backend: the contract in its plainest form.

import {
  type Backend,
  checkFeeds,
  checkSpecs,
  checkStates,
  createLifetime,
  type Executable,
  findState,
  type Lifetime,
  labelCheck,
  type State,
  sizeCheck,
} from "@fewnorm/backend";
import {
  checkOptions,
  elementsOf,
  type Graph,
  type Shape,
  sizeOf,
  toNdArray,
  type Values,
} from "@fewnorm/tensor";
import { type Allocate, createPlan } from "./plan.ts";

/** Options of {@link createReferenceBackend}. */
export interface ReferenceBackendOptions {
  /**
   * What float32 tensors are computed and stored in. `float32` rounds each primitive's result to
   * float32 (sums are still accumulated in float64). Default `float64`.
   */
  readonly precision?: "float32" | "float64";
}

const maxTensorBytes = 2 ** 31;

/**
 * A slow backend in plain TypeScript, meant to be read and to be compared with. One thread; runs in
 * every JavaScript engine.
 * @throws RangeError for another precision.
 */
export function createReferenceBackend(options: ReferenceBackendOptions = {}): Backend {
  checkOptions("createReferenceBackend", options, { precision: "string" });
  const { precision = "float64" } = options;
  if (precision !== "float32" && precision !== "float64") {
    throw new RangeError(
      `createReferenceBackend: precision is ${precision}; give "float32" or "float64"`,
    );
  }
  const Floats = precision === "float64" ? Float64Array : Float32Array;
  const allocate: Allocate = ({ dtype }, length) =>
    dtype === "int32" ? new Int32Array(length) : new Floats(length);
  const memories = new Map<State, Memory>();
  const backend = createLifetime("the backend", "create another");
  const stateless: Memory = { values: new Map(), lifetime: backend };

  const description = `reference (TypeScript, ${precision})`;
  const sizes = sizeCheck(description, maxTensorBytes, Floats.BYTES_PER_ELEMENT);

  return {
    name: "reference",
    description,
    precision,
    limits: { maxTensorBytes, threads: 1 },

    async createState(specs) {
      backend.check("createState");
      checkSpecs(specs);
      sizes.states(specs);
      const lifetime = createLifetime("the state", "create it again", backend);
      const values = new Map<string, Values>();
      const shapes = new Map<string, Shape>();
      for (const { name, shape } of specs) {
        values.set(name, new Floats(sizeOf(shape)));
        shapes.set(name, shape);
      }
      const shapeOf = (where: string, name: string): Shape => {
        lifetime.check(where);
        return findState(where, name, shapes);
      };
      const state: State = {
        specs,
        async read(name) {
          const shape = shapeOf("read", name);
          return toNdArray(values.get(name)!.slice(), shape);
        },
        async write(name, value) {
          const shape = shapeOf("write", name);
          values.set(name, Floats.from(elementsOf(`write: state "${name}"`, value, shape)));
        },
        async dispose() {
          lifetime.end();
          memories.delete(state);
        },
      };
      memories.set(state, { values, lifetime });
      return state;
    },

    async compile(graph, state) {
      backend.check("compile");
      const memory = state === undefined ? stateless : memories.get(state);
      if (memory === undefined) {
        throw new Error(
          "compile: the state has been disposed or belongs to another backend; create one with this backend",
        );
      }
      checkStates(graph, state?.specs ?? []);
      sizes.graph(graph);
      return createExecutable(graph, memory);
    },

    async dispose() {
      backend.end();
      memories.clear();
    },
  };

  function createExecutable(graph: Graph, memory: Memory): Executable {
    const plan = createPlan(graph, allocate, Floats.BYTES_PER_ELEMENT);
    const checkLabels = labelCheck(graph);
    const lifetime = createLifetime("the executable", "compile the graph again", backend);
    return {
      graph,
      workspaceBytes: plan.workspaceBytes,
      async run(feeds = {}) {
        lifetime.check("run");
        memory.lifetime.check("run");
        const elements = checkFeeds(graph, feeds);
        checkLabels(elements);
        const values = plan.run(elements, memory.values);
        // Each name gets an array of its own, also where several name one node.
        const copy = (id: number) => values.get(id)!.slice();
        const fetches = Object.entries(graph.outputs).map(
          ([name, id]) => [name, toNdArray(copy(id), graph.nodes[id]!.shape)] as const,
        );
        for (const [name, id] of Object.entries(graph.updates)) memory.values.set(name, copy(id));
        return Object.fromEntries(fetches);
      },
      async dispose() {
        lifetime.end();
      },
    };
  }
}

/** What a state keeps for the executables that share it. */
interface Memory {
  readonly values: Map<string, Values>;
  readonly lifetime: Lifetime;
}
