// A training step on a backend: the whole batch in one run, or its micro-batches one after another.

import {
  type Backend,
  type Executable,
  type Feeds,
  type Fetches,
  labelCheck,
  type State,
  type StateSpec,
} from "@fewnorm/backend";
import { drawAll, type Model, type StateDeclaration } from "@fewnorm/nn";
import { elementsOf, foldIn, type HostValue, type Shape, sizeOf } from "@fewnorm/tensor";
import { type Traced, traceTraining } from "./trace.ts";
import { type TraceMicroTrainingOptions, traceMicroTraining } from "./trace-micro.ts";
import type { StepFeeds } from "./trainer.ts";

/** A training step before it is compiled. */
export interface StepPlan {
  /** Model states in the order of declaration, then the optimizer's. */
  readonly states: readonly StateDeclaration[];
  /** What else it keeps on the backend. */
  readonly carried: readonly StateSpec[];
  /** @param state holds `states` and `carried` */
  compile(backend: Backend, state: State): Promise<CompiledStep>;
}

/** A compiled training step. One runs at a time, and its feeds stay what they are meanwhile. */
export interface CompiledStep {
  /** Bytes of intermediate results, of the run that has most. */
  readonly workspaceBytes: number;
  run(feeds: StepFeeds): Promise<{ loss: number; logits: ArrayLike<number> }>;
  dispose(): Promise<void>;
}

/** Traces a step, in micro-batches where these are smaller than the batch. @throws RangeError as these. */
export function planStep(model: Model, options: TraceMicroTrainingOptions): StepPlan {
  return options.micro === options.batch ? planWhole(model, options) : planSplit(model, options);
}

function planWhole(model: Model, options: TraceMicroTrainingOptions): StepPlan {
  const { states, ...traced } = traceTraining(model, options);
  return {
    states,
    carried: [],
    async compile(backend, state) {
      const executable = await backend.compile(traced.graph, state);
      return {
        workspaceBytes: executable.workspaceBytes,
        async run({ learningRate, key, ...feeds }) {
          const all = { ...feeds, ...drawAll(traced.draws, key), learningRate: [learningRate] };
          const fetches = await executable.run(neededBy(traced, all));
          return resultOf(fetches, [options.batch, model.classes]);
        },
        dispose: () => executable.dispose(),
      };
    },
  };
}

/** Keys beside those of the draws, which are numbered from 0. */
const [imagesKey, microKey] = [2 ** 32 - 1, 2 ** 32 - 2];

function planSplit(model: Model, options: TraceMicroTrainingOptions): StepPlan {
  const { batch } = options;
  const { classes, inputShape } = model;
  const { states, ...traced } = traceMicroTraining(model, options);
  const { sampled, carried, statistics, micro, finish } = traced;
  const checkLabels = labelCheck((micro[0] as (typeof micro)[number]).traced.graph);

  /** One step of compiled graphs, each of which `run` runs. */
  async function step({ images, labels, learningRate, key }: StepFeeds, run: Run) {
    const all = {
      images: elementsOf("step: images", images, [batch, ...inputShape]),
      labels: elementsOf("step: labels", labels, [batch], "int32"),
    };
    checkLabels(new Map([["labels", all.labels]]));
    // The sampled images come first, and all others in the order that they stand in, cyclically.
    const first = sampled.images === 0 ? 0 : sampled.first(foldIn(key, imagesKey));
    const turned = {
      images: turn(all.images, first, batch),
      labels: turn(all.labels, first, batch),
    };
    const part = (from: number, count: number) => ({
      images: rowsOf(turned.images, batch, from, count),
      labels: rowsOf(turned.labels, batch, from, count),
    });
    const logits = new Float64Array(batch * classes);
    let loss = 0;
    const keep = (fetches: Fetches, from: number, count: number) => {
      const result = resultOf(fetches, [count, classes]);
      loss += result.loss;
      logits.set(result.logits, from * classes);
    };

    // Virtual images are the same, forward and backward.
    const sample = { ...part(0, sampled.images), ...drawAll(finish.draws, key) };
    if (statistics !== undefined) await run(statistics, sample);
    let [from, number] = [sampled.images, 0];
    for (const { images: size, count, traced: graph } of micro) {
      for (let i = 0; i < count; i++) {
        const drawn = drawAll(graph.draws, foldIn(foldIn(key, microKey), number++));
        keep(await run(graph, { ...part(from, size), ...drawn }), from, size);
        from += size;
      }
    }
    const end = await run(finish, { ...sample, learningRate: [learningRate] });
    if (sampled.images > 0) keep(end, 0, sampled.images);
    return { loss, logits: turn(logits, batch - first, batch) };
  }

  return {
    states,
    carried,
    async compile(backend, state) {
      const runs = [statistics, ...micro.map((m) => m.traced), finish].filter(
        (r) => r !== undefined,
      );
      const executables = await compileAll(backend, state, runs);
      const all = [...executables.values()];
      const run: Run = (traced, feeds) =>
        (executables.get(traced) as Executable).run(neededBy(traced, feeds));
      let halfway = false;
      return {
        workspaceBytes: Math.max(...all.map(({ workspaceBytes }) => workspaceBytes)),
        async run(feeds) {
          if (halfway) await clear(state, carried);
          halfway = true;
          const result = await step(feeds, run);
          halfway = false;
          return result;
        },
        async dispose() {
          for (const executable of all) await executable.dispose();
        },
      };
    },
  };
}

type Run = (traced: GraphAndDraws, feeds: Feeds) => Promise<Fetches>;
type GraphAndDraws = Omit<Traced, "states">;

/** Forgets what a step that failed has left behind. */
async function clear(state: State, carried: readonly StateSpec[]): Promise<void> {
  for (const { name, shape } of carried) await state.write(name, new Float32Array(sizeOf(shape)));
}

/** Compiles graphs, or leaves nothing behind. */
async function compileAll(
  backend: Backend,
  state: State,
  graphs: readonly GraphAndDraws[],
): Promise<Map<GraphAndDraws, Executable>> {
  const compiled = new Map<GraphAndDraws, Executable>();
  try {
    for (const traced of graphs) compiled.set(traced, await backend.compile(traced.graph, state));
    return compiled;
  } catch (error) {
    for (const executable of compiled.values()) await executable.dispose();
    throw error;
  }
}

/** The feeds that the graph reads: what is given or drawn may go unused. */
function neededBy({ graph }: GraphAndDraws, feeds: Feeds): Feeds {
  return Object.fromEntries(
    Object.entries(feeds).filter(([name]) => Object.hasOwn(graph.inputs, name)),
  );
}

function resultOf(fetches: Fetches, shape: Shape): { loss: number; logits: ArrayLike<number> } {
  const loss = elementsOf("step: loss", fetches.loss as HostValue, []);
  const logits = elementsOf("step: logits", fetches.logits as HostValue, shape);
  return { loss: loss[0] as number, logits };
}

/** `count` of `rows` rows, from row `from` on: a view where the elements allow one. */
function rowsOf(
  x: ArrayLike<number>,
  rows: number,
  from: number,
  count: number,
): ArrayLike<number> {
  const size = x.length / rows;
  const [start, end] = [from * size, (from + count) * size];
  return isTyped(x) ? x.subarray(start, end) : Array.prototype.slice.call(x, start, end);
}

/** The `rows` rows of x from row `first` on, cyclically; x itself where that is the first. */
function turn(x: ArrayLike<number>, first: number, rows: number): ArrayLike<number> {
  if (first % rows === 0) return x;
  const by = (first * x.length) / rows;
  const elements = isTyped(x) ? x : Float64Array.from(x);
  const turned = elements.slice();
  turned.set(elements.subarray(by));
  turned.set(elements.subarray(0, by), x.length - by);
  return turned;
}

type Typed = Float32Array | Float64Array | Int32Array;

const isTyped = (x: ArrayLike<number>): x is Typed => ArrayBuffer.isView(x);
