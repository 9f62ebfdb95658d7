// A graph compiled for gpu.js: checks what it is fed, and hands over copies of what a run gives.

import {
  checkFeeds,
  computeIntegers,
  copyOf,
  createLifetime,
  type Executable,
  type Feeds,
  type Fetches,
  type Lifetime,
  labelCheck,
  type Queue,
} from "@fewnorm/backend";
import { type Graph, type Node, sizeOf, toNdArray, type Values } from "@fewnorm/tensor";
import type { Lowered } from "./lowered.ts";
import type { Engine } from "./modes.ts";
import { workspaceBytes } from "./pipeline.ts";
import { plan as planOf } from "./plan.ts";
import { createRunner, endsOf, type RunnerContext } from "./runner.ts";
import { type GpuState, type StateValue, setOnHost } from "./state.ts";

/** What a backend's executables share. */
export interface ExecutableContext extends RunnerContext {
  readonly queue: Queue;
  /** How its threads are laid out and shared. */
  readonly kernels: Engine["kernels"];
  /** The backend's. */
  readonly lifetime: Lifetime;
}

/** An executable that tells how it really runs. */
export interface GpuExecutable extends Executable {
  /** Kernels of a run. */
  readonly kernels: number;
  /**
   * How gpu.js ran the last run: `fused-encoder` (one plan for a GPU), `fused-threaded` and `fused-sync` (one
   * WebAssembly plan), `generic` (kernel by kernel); undefined before the first run.
   */
  readonly executorKind: string | undefined;
  /** What it ran on: `webgpu`, `webasm`, `gpu` (WebGL) or `cpu`; undefined before the first run. */
  readonly backend: string | undefined;
  /** Why gpu.js did not run it as one plan, where it did not. */
  readonly fallbackReason: string | undefined;
  /** States that stay in the pipeline's memory from run to run; 0 before the first run. */
  readonly residentStates: number;
}

/** What a run is given, by where it comes from. */
interface Given {
  readonly fed: ReadonlyMap<string, ArrayLike<number>>;
  readonly stateValues: ReadonlyMap<string, StateValue>;
  /** By node id. */
  readonly integers: ReadonlyMap<number, Int32Array>;
  readonly slots: Float32Array;
}

export function createGpuExecutable(
  context: ExecutableContext,
  graph: Graph,
  state: GpuState | undefined,
  onDisposed: () => void,
): GpuExecutable {
  const { queue } = context;
  const plan = planOf(graph, context.kernels);
  const checkLabels = labelCheck(graph);
  const stateValues = new Map(state?.specs.map(({ name }) => [name, state.value(name)]));
  const runner = createRunner(context, { graph, plan, stateValues });
  /** Feeds that are results as they are. */
  const passed = new Set(
    endsOf({ graph, plan }).map(({ source }) => source?.from === "feed" && source.name),
  );
  const lifetime = createLifetime("the executable", "compile the graph again", context.lifetime);

  function checkAlive(): void {
    lifetime.check("run");
    state?.lifetime.check("run");
  }

  /** The feeds, all right, and the caller's to change if they have to wait. */
  function take(feeds: Feeds): Given["fed"] {
    const elements = checkFeeds(graph, feeds);
    checkLabels(elements);
    const waits = queue.busy || runner.holders().size > 0;
    return new Map(
      [...elements].map(([name, array]) => [
        name,
        waits || passed.has(name) ? copyOf(array) : array,
      ]),
    );
  }

  async function execute(fed: Given["fed"]): Promise<Fetches> {
    for (const holder of runner.holders()) await holder.fetch();
    const integers = computeIntegers(graph, fed);
    const slots = plan.slots.values(integers);
    const given = { fed, stateValues, integers, slots };
    const results = await runner.run((of) => givenValues(of, given), slots);
    /** An array of its own for each name. */
    const copyOfResult = (id: number): Values => {
      if ((graph.nodes[id] as Node).dtype === "int32") {
        return (integers.get(id) as Int32Array).slice();
      }
      const of = plan.results[id] as Lowered;
      return (results.get(of) ?? givenValues(of, given)).slice();
    };
    const fetches = Object.fromEntries(
      Object.entries(graph.outputs).map(([name, id]) => [
        name,
        toNdArray(copyOfResult(id), (graph.nodes[id] as Node).shape),
      ]),
    );
    // All are copied before the first changes: they may be each other's.
    const changes = Object.entries(graph.updates)
      .map(([name, id]) => ({ value: stateValues.get(name) as StateValue, id }))
      .filter(({ value }) => !runner.keeps(value))
      .map(({ value, id }) => ({ value, next: copyOfResult(id) as Float32Array }));
    runner.carry();
    for (const { value, next } of changes) setOnHost(value, next);
    return fetches;
  }

  return {
    graph,
    workspaceBytes: workspaceBytes(plan),
    kernels: plan.kernels.length,
    get executorKind() {
      return runner.how?.executorKind;
    },
    get backend() {
      return runner.how?.backend;
    },
    get fallbackReason() {
      return runner.how?.fallbackReason;
    },
    get residentStates() {
      return runner.residentStates;
    },
    async run(feeds = {}) {
      checkAlive();
      const fed = take(feeds);
      return queue.enter(() => execute(fed));
    },
    async dispose() {
      if (lifetime.ended) return;
      lifetime.end();
      await queue.enter(() => runner.destroy(!context.lifetime.ended));
      onDisposed();
    },
  };
}

/** The values of what no kernel computes. */
function givenValues(of: Lowered, { fed, stateValues, integers, slots }: Given): Float32Array {
  const { source } = of;
  switch (source?.from) {
    case "feed":
      return floats(fed.get(source.name) as ArrayLike<number>);
    case "state":
      return (stateValues.get(source.name) as StateValue).values;
    case "constant":
      return typeof source.values === "number"
        ? new Float32Array(sizeOf(of.shape)).fill(source.values)
        : floats(source.values);
    case "integers":
      return floats(integers.get(source.node) as Int32Array);
    case "slots":
      return slots.length === 0 ? new Float32Array(1) : slots;
    default:
      return new Float32Array(sizeOf(of.shape)).fill(of.value ?? 0);
  }
}

const floats = (values: ArrayLike<number>): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values);
