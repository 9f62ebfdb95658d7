// A whole training step, in images a second, and what normalization adds to it.

import { createBatches } from "@fewnorm/data";
import type { Norm } from "@fewnorm/norm";
import { parseModel } from "@fewnorm/presets";
import { foldIn, type Key } from "@fewnorm/tensor";
import { createTrainer, sgd, type Trainer, traceTraining } from "@fewnorm/train";
import { type Case, interleave, type Series } from "../interleave.ts";
import { possibleNorms } from "../named-norms.ts";
import { resultsOf, seriesOf } from "../section-parts.ts";
import { estimateMedian, estimateRatio } from "../statistics.ts";
import type { NamedNorm, Result, Section, Suite, SuiteContext } from "../suite.ts";
import { mapEstimate, mebibytes, none, percent, short } from "../words.ts";

export const step: Suite = {
  name: "step",
  summary: "a training step in images/s, the normalization tax, and the memory of a step",
  byDefault: true,
  takes: ["norms", "strategy", "batch", "model", "data", "threads"],
  async *run(context) {
    const { batch = 128, model = "resnet20" } = context.options;
    const norms = context.norms(["none", "bn"], ["ns:4", "bs:4", "bs:16", "fs:1/32", "vdn:4"]);
    yield await measureSteps(context, { norms, batch, model });
  },
};

interface Job {
  readonly norms: readonly NamedNorm[];
  readonly batch: number;
  readonly model: string;
}

/** A norm's training step, and what it takes besides time. */
interface Prepared {
  readonly name: string;
  readonly trainer: Trainer;
  /** Tracing and compiling training and evaluation. */
  readonly compileMilliseconds: number;
}

/** Steps that leave the weights alone take as long, and deep networks without normalization stay finite. */
const learningRate = 0;

async function measureSteps(context: SuiteContext, job: Job): Promise<Section> {
  const { key, deadline, signal, status } = context;
  const { batch, model } = job;
  const backend = await context.backend();
  const dataset = await context.dataset();
  const batches = createBatches(dataset.train, {
    dataset,
    batchSize: batch,
    key: foldIn(key, 0),
    augment: true,
  });
  const build = (norm: Norm) =>
    parseModel(model)({ norm, classes: dataset.classes.length, inputShape: dataset.shape });
  const { norms, leftOut } = possibleNorms(job.norms, (norm) =>
    traceTraining(build(norm), { batch, optimizer: sgd() }),
  );
  const prepared: Prepared[] = [];
  let series: readonly Series[] = [];
  try {
    for (const { name, norm } of norms) {
      status(`compiling ${name}`);
      const began = performance.now();
      const trainer = await createTrainer(backend, build(norm), { batch });
      prepared.push({ name, trainer, compileMilliseconds: performance.now() - began });
      await trainer.initialize(foldIn(key, 1));
    }
    let current = batches.batch(0, 0);
    let batchRound = -1;
    const cases = prepared.map(({ name, trainer }): Case => {
      let stepKey = key;
      return {
        name,
        twice: true,
        prepare(round) {
          // One batch a round, the same for all.
          const { stepsPerEpoch } = batches;
          if (round !== batchRound) {
            current = batches.batch(Math.floor(round / stepsPerEpoch), round % stepsPerEpoch);
          }
          batchRound = round;
          stepKey = foldIn(foldIn(key, 2), round);
        },
        async run() {
          const { images, labels } = current;
          const { loss } = await trainer.step({ images, labels, learningRate, key: stepKey });
          if (!Number.isFinite(loss)) {
            throw new Error(`step: the loss of ${name} is ${loss}; its time would mean nothing`);
          }
        },
      };
    });
    series = await interleave(cases, {
      key: foldIn(key, 3),
      deadline,
      signal,
      onRound: (round) => status(`${model}, batch ${batch}: round ${round + 1}`),
    });
    const data = { name: dataset.name, size: dataset.shape.join("×") };
    const section = describe(foldIn(key, 4), job, prepared, series, backend.description, data);
    return { ...section, caption: [...section.caption, ...leftOut] };
  } finally {
    for (const { trainer } of prepared) await trainer.dispose();
  }
}

function describe(
  key: Key,
  { batch, model }: Job,
  prepared: readonly Prepared[],
  series: readonly Series[],
  backend: string,
  data: { readonly name: string; readonly size: string },
): Section {
  const samplesOf = (wanted: string): readonly number[] =>
    series.find(({ name }) => name === wanted)?.milliseconds ?? [];
  const results: Result[] = [];
  const bnBytes = prepared.find(({ name }) => name === "bn")?.trainer.workspaceBytes;
  const rows = prepared.map(({ name, trainer, compileMilliseconds }) => {
    const own = samplesOf(name);
    const time = estimateMedian(own, { key });
    const speed = mapEstimate(time, (milliseconds) => (1000 * batch) / milliseconds);
    const against = (baseline: string) =>
      baseline === name ? undefined : estimateRatio(own, samplesOf(baseline), { key });
    const tax = mapEstimate(against("none"), (x) => x - 1);
    const saved = mapEstimate(against("bn"), (x) => 1 - x);
    const bytes = trainer.workspaceBytes;
    const memory = bnBytes === undefined ? undefined : bytes / bnBytes;
    results.push(
      ...resultsOf(name, "step ms", time),
      ...resultsOf(name, "images/s", speed),
      ...resultsOf(name, "tax", tax),
      ...resultsOf(name, "saved against bn", saved),
      { case: name, quantity: "workspace bytes", value: bytes },
      { case: name, quantity: "compile ms", value: compileMilliseconds },
    );
    return [
      name,
      time === undefined ? none : short(time.median),
      speed === undefined ? none : short(speed.median),
      percent(tax),
      percent(saved),
      `${mebibytes(bytes)}${memory === undefined ? "" : ` (${memory.toFixed(2)})`}`,
      short(compileMilliseconds / 1000),
    ];
  });
  return {
    title: `step: ${model}, batch ${batch}`,
    caption: [
      `Training steps on ${data.name} (images of ${data.size}): draws, forward, backward and SGD (at learning rate ${learningRate}); each after one of its own that is not timed, as in a training; medians of ${samplesOf("bn").length} rounds, 95% intervals.`,
      "tax = (step − step without normalization) / step without; saved = (bn's step − step) / bn's step.",
      "Memory is that of intermediate results; compile is tracing and planning training and evaluation, once.",
    ],
    head: ["norm", "step ms", "images/s", "tax", "saved against bn", "memory (/ bn)", "compile s"],
    rows,
    settings: { model, batch, learningRate, data: data.name, image: data.size, backend },
    series: seriesOf("step", series),
    results,
  };
}
