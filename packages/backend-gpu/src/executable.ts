// A graph compiled for gpu.js: kernels, the pipeline that they form, and how it is run.

import { checkFeeds, type Executable, type Feeds, type Fetches } from "@fewnorm/backend";
import { type Graph, type Node, sizeOf, toNdArray, type Values } from "@fewnorm/tensor";
import { type GpuInstance, gpuJs, type Pipeline, type Rows } from "./gpu-js.ts";
import type { ThreadLayout } from "./kernel/threads.ts";
import { labelCheck } from "./labels.ts";
import { computeIntegers } from "./lower/integers.ts";
import type { Lowered } from "./lowered.ts";
import { type Plan, plan as planOf } from "./plan.ts";
import { copyOf, type Queue } from "./queue.ts";
import type { GpuState } from "./state.ts";

/** What a backend's executables share. */
export interface ExecutableContext {
  readonly gpu: GpuInstance;
  readonly queue: Queue;
  readonly mode: string;
  readonly layout: ThreadLayout;
  /** @throws Error after the backend's `dispose`. */
  checkAlive(where: string): void;
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
   * How gpu.js ran the last run: `fused-encoder` (one submission to a GPU), `fused-threaded` and `fused-sync` (one
   * WebAssembly plan), `generic` (kernel by kernel); undefined before the first run.
   */
  readonly executorKind: string | undefined;
  /** What it ran on: `webgpu`, `webasm`, `gpu` (WebGL) or `cpu`; undefined before the first run. */
  readonly backend: string | undefined;
  /** Why gpu.js did not run it as one plan, where it did not. */
  readonly fallbackReason: string | undefined;
}

/** Arrays that a WebGPU kernel may read: 8 storage buffers are sure, and one is the result. */
const MOST_ARRAYS = 7;

export function createGpuExecutable(
  context: ExecutableContext,
  graph: Graph,
  state: GpuState | undefined,
): GpuExecutable {
  const { gpu, queue, mode, layout } = context;
  const plan = planOf(graph, { layout, mostArrays: MOST_ARRAYS });
  const checkLabels = labelCheck(graph);
  const ends = endsOf(graph, plan);
  const pipeline = plan.kernels.length === 0 ? undefined : pipelineOf(gpu, plan, ends.computed);
  let disposed = false;
  let ran = false;

  function checkAlive(): void {
    if (disposed) throw new Error("run: the executable was disposed; compile the graph again");
    context.checkAlive("run");
    state?.checkAlive("run");
  }

  /** The feeds, all right, and the caller's to change if they have to wait. */
  function take(feeds: Feeds): ReadonlyMap<string, ArrayLike<number>> {
    const elements = checkFeeds(graph, feeds);
    checkLabels(elements);
    if (!queue.busy) return elements;
    return new Map([...elements].map(([name, array]) => [name, copyOf(array)]));
  }

  async function execute(fed: ReadonlyMap<string, ArrayLike<number>>): Promise<Fetches> {
    const integers = computeIntegers(graph, fed);
    const given = (of: Lowered): Float32Array => {
      const { source } = of;
      switch (source?.from) {
        case "feed":
          return floats(fed.get(source.name) as ArrayLike<number>);
        case "state":
          return (state as GpuState).values(source.name);
        case "constant":
          return typeof source.values === "number"
            ? new Float32Array(sizeOf(of.shape)).fill(source.values)
            : floats(source.values);
        case "integers":
          return floats(integers.get(source.node) as Int32Array);
        case "slots": {
          const values = plan.slots.values(integers);
          return values.length === 0 ? new Float32Array(1) : values;
        }
        default:
          return new Float32Array(sizeOf(of.shape)).fill(of.value ?? 0);
      }
    };
    const computed = await runPipeline(given);
    /** An array of its own for each name. */
    const valuesOf = (id: number): Values => {
      const node = graph.nodes[id] as Node;
      if (node.dtype === "int32") return (integers.get(id) as Int32Array).slice();
      const of = plan.results[id] as Lowered;
      return (computed.get(of) ?? given(of)).slice();
    };
    const fetches: Fetches = {};
    for (const [name, id] of Object.entries(graph.outputs)) {
      fetches[name] = toNdArray(valuesOf(id), (graph.nodes[id] as Node).shape);
    }
    const updates = Object.entries(graph.updates).map(
      ([name, id]) => [name, valuesOf(id) as Float32Array] as const,
    );
    for (const [name, values] of updates) (state as GpuState).replace(name, values);
    return fetches;
  }

  async function runPipeline(
    given: (of: Lowered) => Float32Array,
  ): Promise<ReadonlyMap<Lowered, Float32Array>> {
    const computed = new Map<Lowered, Float32Array>();
    if (pipeline === undefined) return computed;
    const inputs = plan.arguments.map((of) => {
      const values = given(of);
      return new gpuJs.Input(values, [values.length]);
    });
    let rows: Readonly<Record<string, Rows>>;
    context.checkDevice();
    try {
      rows = await pipeline(...inputs);
    } catch (error) {
      throw context.explain(error);
    }
    context.checkDevice();
    ran = true;
    if (!isBackendOf(mode, pipeline.backend)) {
      throw new Error(
        `run: ${mode} was asked for, but gpu.js ran on ${pipeline.backend}: ${pipeline.fallbackReason ?? "it gives no reason"}; use another mode`,
      );
    }
    for (const [i, of] of ends.computed.entries()) {
      computed.set(of, flatten(rows[`r${i}`] as Rows, sizeOf(of.shape)));
    }
    return computed;
  }

  return {
    graph,
    workspaceBytes: workspaceBytes(plan),
    kernels: plan.kernels.length,
    get executorKind() {
      return ran ? pipeline?.executorKind : undefined;
    },
    get backend() {
      return ran ? (pipeline?.backend ?? undefined) : undefined;
    },
    get fallbackReason() {
      return ran ? (pipeline?.fallbackReason ?? undefined) : undefined;
    },
    async run(feeds = {}) {
      checkAlive();
      const fed = take(feeds);
      return queue.enter(() => execute(fed));
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await queue.enter(() => pipeline?.destroy());
    },
  };
}

/** What gpu.js calls its WebGL modes. */
const isBackendOf = (mode: string, backend: string | null): boolean =>
  backend === mode || (mode.startsWith("webgl") && backend === "gpu");

const floats = (values: ArrayLike<number>): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values);

/** The results of a run that kernels compute. */
function endsOf(graph: Graph, { results }: Plan): { readonly computed: readonly Lowered[] } {
  const ids = [...Object.values(graph.outputs), ...Object.values(graph.updates)];
  const all = new Set(ids.map((id) => results[id] as Lowered));
  return { computed: [...all].filter(({ kind }) => kind !== "argument" && kind !== "number") };
}

function pipelineOf(gpu: GpuInstance, plan: Plan, computed: readonly Lowered[]): Pipeline {
  const known = new Map<string, ReturnType<GpuInstance["createKernel"]>>();
  const functions = plan.kernels.map(({ source, threads }) => {
    const identity = `${threads} ${source}`;
    const kernel =
      known.get(identity) ?? gpu.createKernel(source, { output: threads, precision: "single" });
    known.set(identity, kernel);
    return kernel;
  });
  const body = (...given: readonly unknown[]) => {
    const handles = new Map(plan.arguments.map((of, i) => [of, given[i]]));
    for (const [i, { inputs, result }] of plan.kernels.entries()) {
      const kernel = functions[i] as (typeof functions)[number];
      handles.set(result, kernel(...inputs.map((of) => handles.get(of))));
    }
    return Object.fromEntries(computed.map((of, i) => [`r${i}`, handles.get(of)]));
  };
  // gpu.js makes as many handles as the function has parameters.
  Object.defineProperty(body, "length", { value: plan.arguments.length });
  return gpu.createPipeline(body);
}

/** The elements of a result, which gpu.js gives as rows of rows. */
function flatten(rows: Rows, size: number): Float32Array {
  let first: Rows = rows;
  while (Array.isArray(first)) first = first[0] as Rows;
  const row = first as Float32Array;
  // Rows that lie side by side in one buffer, from its beginning on.
  if (row.byteOffset === 0 && row.buffer.byteLength >= 4 * size && row !== rows) {
    return new Float32Array(row.buffer, 0, size);
  }
  if (row === rows) return row.subarray(0, size);
  const values = new Float32Array(size);
  let at = 0;
  const append = (part: Rows): void => {
    if (!ArrayBuffer.isView(part)) {
      for (const one of part) append(one);
      return;
    }
    values.set(part.subarray(0, size - at), at);
    at = Math.min(size, at + part.length);
  };
  append(rows);
  return values;
}

/** Bytes of intermediate arrays when gpu.js shares them among kernels with equal threads, as it does. */
function workspaceBytes({ kernels }: Plan): number {
  const lastUse = new Map<Lowered, number>();
  for (const [i, { inputs }] of kernels.entries()) for (const of of inputs) lastUse.set(of, i);
  const free = new Map<string, number>();
  const releases = new Map<number, string[]>();
  let bytes = 0;
  for (const [i, { threads, result }] of kernels.entries()) {
    const identity = String(threads);
    for (const released of releases.get(i) ?? []) free.set(released, (free.get(released) ?? 0) + 1);
    const spare = free.get(identity) ?? 0;
    if (spare > 0) free.set(identity, spare - 1);
    else bytes += 4 * sizeOf(threads);
    const last = lastUse.get(result);
    if (last !== undefined) releases.set(last + 1, [...(releases.get(last + 1) ?? []), identity]);
  }
  return bytes;
}
