// Where the time of a training step goes: by primitive and by layer.

import type { Backend, Executable, Feeds } from "@fewnorm/backend";
import { createBatches, type Dataset } from "@fewnorm/data";
import { drawAll } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { parseModel } from "@fewnorm/presets";
import { foldIn, type Graph, nodeCost } from "@fewnorm/tensor";
import { initializeStates, sgd, type Traced, traceTraining, turn } from "@fewnorm/train";
import { type MachineLimits, measureLimits } from "../machine-limits.ts";
import { possibleNorms } from "../named-norms.ts";
import { seriesOf } from "../section-parts.ts";
import { median } from "../statistics.ts";
import type { Result, Section, Suite, SuiteContext } from "../suite.ts";
import { short } from "../words.ts";

export const profile: Suite = {
  name: "profile",
  summary:
    "where a training step's time goes: each primitive's and each layer's time, flops, bytes",
  byDefault: false,
  takes: ["norms", "strategy", "batch", "model", "data", "threads"],
  async *run(context) {
    const { batch = 128, model = "resnet20" } = context.options;
    const dataset = await context.dataset();
    const classes = dataset.classes.length;
    const trace = (norm: Norm): Traced => {
      const built = parseModel(model)({ norm, classes, inputShape: dataset.shape });
      return traceTraining(built, { batch, optimizer: sgd() });
    };
    const { norms, leftOut } = possibleNorms(context.norms([], ["bn", "bs:4"]), trace);
    for (const [i, { name, norm }] of norms.entries()) {
      if (context.signal.aborted) return;
      const now = performance.now();
      const deadline = now + (context.deadline - now) / (norms.length - i);
      const job = { name, trace: () => trace(norm), model, batch, leftOut: i === 0 ? leftOut : [] };
      yield* profileStep({ ...context, deadline }, job);
    }
  },
};

interface Job {
  /** The norm's. */
  readonly name: string;
  readonly trace: () => Traced;
  readonly model: string;
  readonly batch: number;
  /** Which norms cannot be had, and why, where that is to be said. */
  readonly leftOut: readonly string[];
}

async function* profileStep(context: SuiteContext, job: Job): AsyncGenerator<Section> {
  const { key, status } = context;
  const backend = await context.backend();
  status("measuring the machine's limits");
  const limits = await measureLimits(backend);
  const dataset = await context.dataset();
  status(`compiling ${job.name}`);
  const { graph, states, draws } = job.trace();
  const state = await backend.createState(states);
  for (const [one, values] of initializeStates(states, key)) await state.write(one, values);
  const executable = await backend.compile(graph, state);
  try {
    const batches = createBatches(dataset.train, { dataset, batchSize: job.batch, key });
    const { images, labels } = batches.batch(0, 0);
    const samples = await sample(context, backend, executable, job, (round) => ({
      images,
      labels,
      // As in step.ts.
      learningRate: [0],
      ...drawAll(draws, foldIn(key, round), graph),
    }));
    if (samples.whole.length > 0) yield* describe(job, graph, samples, limits, dataset, backend);
  } finally {
    await executable.dispose();
    await state.dispose();
  }
}

/** Milliseconds of every round. */
interface Samples {
  /** Of the step as a whole. */
  readonly whole: number[];
  /** Of what the backend runs at once, each with the nodes that it is. */
  readonly parts: readonly { readonly nodes: readonly number[]; readonly milliseconds: number[] }[];
}

/** Runs the step whole and node by node, in turns, until the time is over. */
async function sample(
  { deadline, signal, status }: SuiteContext,
  backend: Backend,
  executable: Executable,
  { name }: Job,
  feedsOf: (round: number) => Feeds,
): Promise<Samples> {
  if (executable.profile === undefined) {
    throw new Error(`profile: ${backend.name} does not tell its nodes' times; use --backend wasm`);
  }
  const whole: number[] = [];
  const parts = new Map<string, Samples["parts"][number]>();
  for (let round = 0; round < 200; round++) {
    await turn();
    if (signal.aborted || (round > 3 && performance.now() >= deadline)) break;
    status(`${name}: round ${round}`);
    const feeds = feedsOf(round);
    const began = performance.now();
    await executable.run(feeds);
    const step = performance.now() - began;
    const times = await executable.profile(feeds);
    // The first round warms up.
    if (round === 0) continue;
    whole.push(step);
    for (const { nodes, milliseconds } of times) {
      const identity = nodes.join();
      const part = parts.get(identity) ?? { nodes, milliseconds: [] };
      part.milliseconds.push(milliseconds);
      parts.set(identity, part);
    }
  }
  return { whole, parts: [...parts.values()] };
}

function* describe(
  { name, model, batch, leftOut }: Job,
  graph: Graph,
  { whole, parts }: Samples,
  limits: MachineLimits,
  dataset: Dataset,
  backend: Backend,
): Generator<Section> {
  const items = parts.map(({ nodes, milliseconds }) => itemOf(graph, nodes, median(milliseconds)));
  const settings = {
    model,
    norm: name,
    batch,
    data: dataset.name,
    image: dataset.shape.join("×"),
    backend: backend.description,
  };
  const total = items.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const title = `profile: ${model} with ${name}, batch ${batch}`;
  const columns = ["time ms", "share", "GFLOP/s", "GB/s", "of limit"];
  yield {
    settings,
    title: `${title}, by primitive`,
    head: ["primitive", ...columns],
    caption: [
      `Medians of ${whole.length} rounds on images of ${settings.image}. Node by node a step takes ${short(total)} ms, as a whole ${short(median(whole))} ms: threads then wait for each other less often. Flops and bytes are those that a node needs; a faster algorithm may do with fewer flops. Nodes that are computed in passing, inside of others, add to the time of these and are not counted.`,
      `This machine's limits, measured now: ${short(limits.flopsPerMillisecond / 1e6)} GFLOP/s in a matrix product, ${short(limits.bytesPerMillisecond / 1e6)} GB/s through memory. "of limit" is the time that the nearer of the two would take, by the time taken: above 100% where an algorithm does with fewer flops, or data stay in the cache.`,
      ...leftOut,
    ],
    ...tabulate(name, items, ({ op }) => op, total, limits),
    series: [
      ...seriesOf("step", [{ name, milliseconds: whole }]),
      ...parts.flatMap(({ nodes, milliseconds }) =>
        seriesOf(`nodes ${nodes.join(" ")}`, [{ name, milliseconds }]),
      ),
    ],
  };
  yield {
    settings,
    title: `${title}, by layer`,
    head: ["layer", ...columns],
    caption: ["Forward and backward together."],
    ...tabulate(name, items, ({ label }) => label, total, limits),
    series: [],
  };
}

/** What was timed at once: a node, or several that the backend runs as one. */
interface Item {
  readonly op: string;
  readonly label: string;
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

function itemOf(graph: Graph, ids: readonly number[], milliseconds: number): Item {
  const nodes = ids.flatMap((id) => graph.nodes[id] ?? []);
  const costs = nodes.map((node) => nodeCost(graph, node));
  return {
    op: [...new Set(nodes.map(({ op }) => op))].join(" + "),
    label: nodes.at(-1)?.label || "other",
    milliseconds,
    flops: costs.reduce((sum, { flops }) => sum + flops, 0),
    bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Sums of the items by `groupOf`, largest first. */
function tabulate(
  name: string,
  items: readonly Item[],
  groupOf: (item: Item) => string,
  total: number,
  { flopsPerMillisecond, bytesPerMillisecond }: MachineLimits,
): Pick<Section, "rows" | "results"> {
  const groups = new Map<
    string,
    { milliseconds: number; flops: number; bytes: number; bound: number }
  >();
  for (const item of items) {
    const { milliseconds, flops, bytes } = item;
    const sum = groups.get(groupOf(item)) ?? { milliseconds: 0, flops: 0, bytes: 0, bound: 0 };
    groups.set(groupOf(item), {
      milliseconds: sum.milliseconds + milliseconds,
      flops: sum.flops + flops,
      bytes: sum.bytes + bytes,
      bound: sum.bound + Math.max(flops / flopsPerMillisecond, bytes / bytesPerMillisecond),
    });
  }
  const sorted = [...groups].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
  return {
    rows: sorted.map(([group, { milliseconds, flops, bytes, bound }]) => [
      group,
      short(milliseconds),
      `${((100 * milliseconds) / total).toFixed(1)}%`,
      short(flops / milliseconds / 1e6),
      short(bytes / milliseconds / 1e6),
      `${((100 * bound) / milliseconds).toFixed(0)}%`,
    ]),
    results: sorted.map(
      ([group, { milliseconds }]): Result => ({
        case: name,
        quantity: `${group} ms`,
        value: milliseconds,
      }),
    ),
  };
}
