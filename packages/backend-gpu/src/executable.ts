// A graph compiled for gpu.js, and how it is run.

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
import { createBalance } from "./balance.ts";
import { type GpuInstance, gpuJs } from "./gpu-js.ts";
import type { Lowered, Place } from "./lowered.ts";
import type { Engine } from "./modes.ts";
import { createPlanPipeline, flatten, workspaceBytes } from "./pipeline.ts";
import { plan as planOf } from "./plan.ts";
import { createResidents, type ResidentState, type Residents, takeOver } from "./resident.ts";
import { type GpuState, type Holder, type StateValue, setOnHost } from "./state.ts";
import { submitInParts } from "./submission.ts";

/** What a backend's executables share. */
export interface ExecutableContext {
  readonly gpu: GpuInstance;
  readonly queue: Queue;
  readonly mode: string;
  /** How its threads are laid out and shared. */
  readonly kernels: Engine["kernels"];
  /** The backend's. */
  readonly lifetime: Lifetime;
  /** An error of gpu.js, said so that a user understands. */
  explain(error: unknown): Error;
  /** @throws Error if something went wrong on the device that no call has reported. */
  checkDevice(): void;
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

type Fed = ReadonlyMap<string, ArrayLike<number>>;

export function createGpuExecutable(
  context: ExecutableContext,
  graph: Graph,
  state: GpuState | undefined,
  onDisposed: () => void,
): GpuExecutable {
  const { gpu, queue, mode } = context;
  const plan = planOf(graph, context.kernels);
  const checkLabels = labelCheck(graph);
  const resultOf = (id: number) => plan.results[id] as Lowered;
  const [outputs, updates] = [Object.entries(graph.outputs), Object.entries(graph.updates)];
  const ends = new Set([...outputs, ...updates].map(([, id]) => resultOf(id)));
  const computed = [...ends].filter(({ kind }) => kind !== "argument" && kind !== "number");
  const placeOf = (of: Lowered) => plan.places.get(of) as Place;
  /** The arrays in which these lie. */
  const arrays = [...new Set(computed.map((of) => placeOf(of).array))];
  const make = () =>
    plan.kernels.length === 0 ? undefined : createPlanPipeline(gpu, plan, arrays);
  let made = make();
  /** Feeds that are results as they are. */
  const passed = new Set([...ends].map(({ source }) => source?.from === "feed" && source.name));
  const stateValues = new Map(state?.specs.map(({ name }) => [name, state.value(name)]));
  const stateValue = (name: string): StateValue => stateValues.get(name) as StateValue;
  let residents: Residents | undefined;
  let balance: ReturnType<typeof createBalance>;
  const lifetime = createLifetime("the executable", "compile the graph again", context.lifetime);
  let runs = 0;
  let how: Pick<GpuExecutable, "executorKind" | "backend" | "fallbackReason"> | undefined;

  function checkAlive(): void {
    lifetime.check("run");
    state?.lifetime.check("run");
  }

  /** The feeds, all right, and the caller's to change if they have to wait. */
  function take(feeds: Feeds): Fed {
    const elements = checkFeeds(graph, feeds);
    checkLabels(elements);
    const waits = queue.busy || holders().size > 0;
    return new Map(
      [...elements].map(([name, array]) => [
        name,
        waits || passed.has(name) ? copyOf(array) : array,
      ]),
    );
  }

  const inPlace = () =>
    new Set(residents?.states.map(({ argument }) => plan.arguments[argument] as Lowered));

  /** Who must give up the newest value of a state before a run. */
  function holders(): Set<Holder> {
    const resident = inPlace();
    const needed = [...plan.arguments.filter((of) => !resident.has(of)), ...ends]
      .flatMap(({ source }) => (source?.from === "state" ? [stateValue(source.name)] : []))
      .concat(residents?.stale() ?? []);
    return new Set(needed.flatMap(({ holder }) => (holder === undefined ? [] : [holder])));
  }

  async function execute(fed: Fed): Promise<Fetches> {
    for (const holder of holders()) await holder.fetch();
    const resident = inPlace();
    const integers = computeIntegers(graph, fed);
    const slots = plan.slots.values(integers);
    balance?.(slots);
    const given = (of: Lowered): Float32Array => givenValues(of, fed, integers, slots);
    const results = await runPipeline((of) => (resident.has(of) ? undefined : given(of)));
    /** An array of its own for each name. */
    const copyOfResult = (id: number): Values => {
      if ((graph.nodes[id] as Node).dtype === "int32") {
        return (integers.get(id) as Int32Array).slice();
      }
      return (results.get(resultOf(id)) ?? given(resultOf(id))).slice();
    };
    const fetches = Object.fromEntries(
      outputs.map(([name, id]) => [
        name,
        toNdArray(copyOfResult(id), (graph.nodes[id] as Node).shape),
      ]),
    );
    const carried = new Set(
      residents?.states.filter(({ next }) => next !== undefined).map(({ value }) => value),
    );
    const changes = updates
      .filter(([name]) => !carried.has(stateValue(name)))
      .map(([name, id]) => ({ value: stateValue(name), next: copyOfResult(id) as Float32Array }));
    residents?.carry();
    for (const { value, next } of changes) setOnHost(value, next);
    if (runs++ === 0) {
      residents = stay();
      if (made !== undefined) {
        submitInParts(made.pipeline, plan.kernels);
        balance = createBalance(made.pipeline, plan.kernels);
      }
    }
    return fetches;
  }

  function givenValues(
    of: Lowered,
    fed: Fed,
    integers: ReadonlyMap<number, Int32Array>,
    slots: Float32Array,
  ): Float32Array {
    const { source } = of;
    switch (source?.from) {
      case "feed":
        return floats(fed.get(source.name) as ArrayLike<number>);
      case "state":
        return stateValue(source.name).values;
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

  /** Runs the kernels on the arguments' values; of those that are in place already, it is given none. */
  async function runPipeline(
    given: (of: Lowered) => Float32Array | undefined,
  ): Promise<ReadonlyMap<Lowered, Float32Array>> {
    const results = new Map<Lowered, Float32Array>();
    if (made === undefined) return results;
    const { pipeline } = made;
    const values = plan.arguments.map(given);
    context.checkDevice();
    try {
      residents?.update();
      const inputs = values.map((one, argument) => {
        if (one === undefined) return null;
        if (!residents?.fed.has(argument)) return new gpuJs.Input(one, [one.length]);
        residents.write(argument, one);
        return null;
      });
      const rows = await pipeline(...inputs);
      context.checkDevice();
      if (!isBackendOf(mode, pipeline.backend)) {
        throw new Error(
          `it ran on ${pipeline.backend} instead: ${pipeline.fallbackReason ?? "no reason is given"}`,
        );
      }
      const { executorKind, backend, fallbackReason } = pipeline;
      how = {
        executorKind,
        backend: backend ?? undefined,
        fallbackReason: fallbackReason ?? undefined,
      };
      for (const of of computed) {
        const { array, offset } = placeOf(of);
        const result = rows[`r${arrays.indexOf(array)}`];
        const end = offset + sizeOf(of.shape);
        if (result) results.set(of, flatten(result, end).subarray(offset));
      }
    } catch (error) {
      residents?.spoil();
      await leave();
      // gpu.js would go on with memory that is gone.
      await Promise.resolve(made.destroy()).catch(() => {});
      made = make();
      throw context.explain(error);
    }
    return results;
  }

  /** Lets states stay in the pipeline's memory from now on, where that can be done. */
  function stay(): Residents | undefined {
    if (made === undefined || state === undefined) return undefined;
    const states = plan.arguments.flatMap(({ source }, argument): ResidentState[] => {
      if (source?.from !== "state") return [];
      const { name } = source;
      const id = graph.updates[name];
      const place = id === undefined ? undefined : plan.places.get(resultOf(id));
      const next = place && { result: arrays.indexOf(place.array), offset: place.offset };
      return [{ value: stateValue(name), argument, next }];
    });
    const fed = plan.arguments.flatMap(({ source }, i) => (source?.from === "feed" ? [i] : []));
    const staying = new Set(states.map(({ value }) => value));
    const elsewhere = [
      ...outputs.map(([, id]) => resultOf(id)),
      ...updates.filter(([name]) => !staying.has(stateValue(name))).map(([, id]) => resultOf(id)),
    ].map((of) => plan.places.get(of)?.array);
    const memory = takeOver(made.pipeline, {
      argumentList: [...states.map(({ argument }) => argument), ...fed],
      results: [...arrays.keys()].filter((i) => !elsewhere.includes(arrays[i])),
    });
    return memory && createResidents(memory, states, new Set(fed), context.explain);
  }

  /** Brings states back to the host, if that is still possible. */
  async function leave(): Promise<void> {
    const left = residents;
    residents = undefined;
    balance = undefined;
    runs = 0;
    // What can't be brought back is reported to whoever asks for it.
    await left?.fetch().catch(() => {});
    left?.free();
  }

  return {
    graph,
    workspaceBytes: workspaceBytes(plan),
    kernels: plan.kernels.length,
    get executorKind() {
      return how?.executorKind;
    },
    get backend() {
      return how?.backend;
    },
    get fallbackReason() {
      return how?.fallbackReason;
    },
    get residentStates() {
      return residents?.states.length ?? 0;
    },
    async run(feeds = {}) {
      checkAlive();
      const fed = take(feeds);
      return queue.enter(() => execute(fed));
    },
    async dispose() {
      if (lifetime.ended) return;
      lifetime.end();
      await queue.enter(async () => {
        if (context.lifetime.ended) residents?.free();
        else await leave();
        await made?.destroy();
      });
      onDisposed();
    },
  };
}

/** What gpu.js calls its WebGL modes. */
const isBackendOf = (mode: string, backend: string | null): boolean =>
  backend === mode || (mode.startsWith("webgl") && backend === "gpu");

const floats = (values: ArrayLike<number>): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values);
