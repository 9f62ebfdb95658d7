// Runs a plan: owns its pipeline, and the states that stay in the pipeline's memory from run to run.

import { type Graph, sizeOf } from "@fewnorm/tensor";
import { createBalance } from "./balance.ts";
import { type GpuInstance, gpuJs, type Pipeline } from "./gpu-js.ts";
import type { Lowered, Place } from "./lowered.ts";
import { createPlanPipeline, flatten } from "./pipeline.ts";
import type { Plan } from "./plan.ts";
import { createResidents, type ResidentState, type Residents, takeOver } from "./resident.ts";
import type { Holder, StateValue } from "./state.ts";
import { submitInParts } from "./submission.ts";

export interface RunnerContext {
  readonly gpu: GpuInstance;
  readonly mode: string;
  /** An error of gpu.js, said so that a user understands. */
  explain(error: unknown): Error;
  /** @throws Error if something went wrong on the device that no call has reported. */
  checkDevice(): void;
}

/** What is run, and the values of the states that it may read and update, by name. */
export interface Program {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly stateValues: ReadonlyMap<string, StateValue>;
}

/** How gpu.js ran the last run. */
export interface HowItRan {
  readonly executorKind: string | undefined;
  readonly backend: string | undefined;
  readonly fallbackReason: string | undefined;
}

export interface Runner {
  /** Undefined before the first run. */
  readonly how: HowItRan | undefined;
  /** States in the pipeline's memory; none before the first run. */
  readonly residentStates: number;
  /** Who must give up the newest value of a state before a run. */
  holders(): ReadonlySet<Holder>;
  /**
   * Runs the kernels, once nobody else holds a state that they need. Of arguments that are in place already, it does
   * not ask for the values.
   * @returns what the kernels computed and did not keep.
   * @throws Error as `explain` says it; states are as before then, or gone with the device.
   */
  run(
    given: (of: Lowered) => Float32Array,
    slots: Float32Array,
  ): Promise<ReadonlyMap<Lowered, Float32Array>>;
  /** Whether a state's next value stays in the pipeline's memory. */
  keeps(value: StateValue): boolean;
  /** After a run: states that are kept have their next values. From the first run on, as many are as can be. */
  carry(): void;
  /** Frees everything. States are brought back to the host first, if that is wanted and still possible. */
  destroy(bringBack: boolean): Promise<void>;
}

export function createRunner(context: RunnerContext, program: Program): Runner {
  const { plan, stateValues } = program;
  const ends = endsOf(program);
  const computed = ends.filter(({ kind }) => kind !== "argument" && kind !== "number");
  const placeOf = (of: Lowered) => plan.places.get(of) as Place;
  /** The arrays in which these lie. */
  const arrays = [...new Set(computed.map((of) => placeOf(of).array))];
  const make = () =>
    plan.kernels.length === 0 ? undefined : createPlanPipeline(context.gpu, plan, arrays);
  let made = make();
  let residents: Residents | undefined;
  let balance: ReturnType<typeof createBalance>;
  let isFirst = true;
  let how: HowItRan | undefined;

  const inPlace = () =>
    new Set(residents?.states.map(({ argument }) => plan.arguments[argument] as Lowered));

  /** What the pipeline is called with; arguments that it keeps are written where they lie. */
  function inputsOf(values: readonly (Float32Array | undefined)[]): unknown[] {
    return values.map((one, argument) => {
      if (one === undefined) return null;
      if (!residents?.fed.has(argument)) return new gpuJs.Input(one, [one.length]);
      residents.write(argument, one);
      return null;
    });
  }

  function checkMode({ backend, fallbackReason }: Pipeline): void {
    if (isBackendOf(context.mode, backend)) return;
    throw new Error(`it ran on ${backend} instead: ${fallbackReason ?? "no reason is given"}`);
  }

  /** Brings states back to the host, if that is still possible. The next run is as the first. */
  async function leave(): Promise<void> {
    const left = residents;
    residents = undefined;
    balance = undefined;
    isFirst = true;
    // What can't be brought back is reported to whoever asks for it.
    await left?.fetch().catch(() => {});
    left?.free();
  }

  return {
    get how() {
      return how;
    },
    get residentStates() {
      return residents?.states.length ?? 0;
    },
    holders() {
      const resident = inPlace();
      const needed = [...plan.arguments.filter((of) => !resident.has(of)), ...ends]
        .flatMap(({ source }) =>
          source?.from === "state" ? [stateValues.get(source.name) as StateValue] : [],
        )
        .concat(residents?.stale() ?? []);
      return new Set(needed.flatMap(({ holder }) => (holder === undefined ? [] : [holder])));
    },
    async run(given, slots) {
      const results = new Map<Lowered, Float32Array>();
      if (made === undefined) return results;
      const { pipeline } = made;
      balance?.(slots);
      const resident = inPlace();
      const values = plan.arguments.map((of) => (resident.has(of) ? undefined : given(of)));
      context.checkDevice();
      try {
        residents?.update();
        const rows = await pipeline(...inputsOf(values));
        context.checkDevice();
        checkMode(pipeline);
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
    },
    keeps: (value) =>
      residents?.states.some((one) => one.value === value && one.next !== undefined) ?? false,
    carry() {
      residents?.carry();
      if (!isFirst) return;
      isFirst = false;
      if (made === undefined) return;
      residents = takeOverStates(made.pipeline, program, arrays, context.explain);
      submitInParts(made.pipeline, plan.kernels);
      balance = createBalance(made.pipeline, plan.kernels);
    },
    async destroy(bringBack) {
      if (bringBack) await leave();
      else residents?.free();
      await made?.destroy();
    },
  };
}

/** The results that leave the plan: outputs and states' next values, each once. */
export function endsOf({ graph, plan }: Pick<Program, "graph" | "plan">): Lowered[] {
  const ids = [...Object.values(graph.outputs), ...Object.values(graph.updates)];
  return [...new Set(ids.map((id) => plan.results[id] as Lowered))];
}

/**
 * Lets states, and what is fed, stay in the memory of a pipeline that has run once and gives these arrays.
 * @returns undefined where that can't be done.
 */
function takeOverStates(
  pipeline: Pipeline,
  { graph, plan, stateValues }: Program,
  arrays: readonly Lowered[],
  explain: RunnerContext["explain"],
): Residents | undefined {
  if (stateValues.size === 0) return undefined;
  const placeOf = (id: number) => plan.places.get(plan.results[id] as Lowered);
  const states = plan.arguments.flatMap(({ source }, argument): ResidentState[] => {
    if (source?.from !== "state") return [];
    const { name } = source;
    const id = graph.updates[name];
    const place = id === undefined ? undefined : placeOf(id);
    const next = place && { result: arrays.indexOf(place.array), offset: place.offset };
    return [{ value: stateValues.get(name) as StateValue, argument, next }];
  });
  const fed = plan.arguments.flatMap(({ source }, i) => (source?.from === "feed" ? [i] : []));
  const staying = new Set(states.map(({ value }) => value));
  const leaving = Object.entries(graph.updates).filter(
    ([name]) => !staying.has(stateValues.get(name) as StateValue),
  );
  /** Arrays that the host reads. */
  const read = [...Object.entries(graph.outputs), ...leaving].map(([, id]) => placeOf(id)?.array);
  const memory = takeOver(pipeline, {
    argumentList: [...states.map(({ argument }) => argument), ...fed],
    results: [...arrays.keys()].filter((i) => !read.includes(arrays[i])),
  });
  return memory && createResidents(memory, states, new Set(fed), explain);
}

/** What gpu.js calls its WebGL modes. */
const isBackendOf = (mode: string, backend: string | null): boolean =>
  backend === mode || (mode.startsWith("webgl") && backend === "gpu");
