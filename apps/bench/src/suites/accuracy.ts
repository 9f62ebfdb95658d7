// A short training with each norm: test accuracy, and images a second.

import { createBatches, createDataset, type Dataset } from "@fewnorm/data";
import { resnet } from "@fewnorm/models";
import type { Model } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { parseModel } from "@fewnorm/presets";
import { foldIn, permutation } from "@fewnorm/tensor";
import {
  cosine,
  createTrainer,
  type Evaluation,
  evaluateWithBatchStatistics,
  sgd,
  stateDictOf,
  type TrainEvent,
  type Trainer,
  traceTraining,
  train,
  turn,
} from "@fewnorm/train";
import { possibleNorms } from "../named-norms.ts";
import { resultsOf, seriesOf } from "../section-parts.ts";
import { estimateMedian, wilsonInterval } from "../statistics.ts";
import type { Result, Section, Suite, SuiteContext } from "../suite.ts";
import { planTraining, type TrainingPlan } from "../training-plan.ts";
import { grouped, mapEstimate, none, short } from "../words.ts";

export const accuracy: Suite = {
  name: "accuracy",
  summary: "a short training: test accuracy and images/s",
  byDefault: true,
  takes: ["norms", "strategy", "batch", "model", "data", "threads"],
  async *run(context) {
    yield await measureTrainings(context);
  },
};

/** One training as it goes on. */
interface Course {
  readonly name: string;
  readonly trainer: Trainer;
  readonly stepMilliseconds: number[];
  events: AsyncGenerator<TrainEvent, void, undefined> | undefined;
  trainingLoss: number | undefined;
  evaluation: Evaluation | undefined;
  /** The same test, each batch normalized by statistics of its own. */
  inTraining: Evaluation | undefined;
  /** Why it ended before its time. */
  failure: string | undefined;
}

const learningRate = 0.1;

async function measureTrainings(context: SuiteContext): Promise<Section> {
  const { options, key, deadline, signal, status } = context;
  const { batch = 64, seed } = options;
  const usual = context.norms(["bn"], ["bs:16", "fs:1/32", "vdn:4", "ns:4"]);
  const backend = await context.backend();
  const dataset = await context.dataset();
  const build = (norm: Norm) => modelOf(options.model, norm, dataset);
  const { norms, leftOut: impossible } = possibleNorms(usual, (norm) =>
    traceTraining(build(norm), { batch, optimizer: sgd() }),
  );
  const leftOut = [...impossible];
  const courses: Course[] = [];
  try {
    for (const { name, norm } of norms) {
      status(`compiling ${name}`);
      const trainer = await createTrainer(backend, build(norm), { batch });
      courses.push({
        name,
        trainer,
        stepMilliseconds: [],
        events: undefined,
        trainingLoss: undefined,
        evaluation: undefined,
        inTraining: undefined,
        failure: undefined,
      });
    }
    const speed = await trialSpeed(context, (courses[0] as Course).trainer, dataset);
    const plan = planTraining({
      seconds: (0.95 * (deadline - performance.now())) / 1000,
      trainings: courses.length,
      imagesPerSecond: speed,
      batch,
      trainImages: dataset.train.count,
      testImages: dataset.test.count,
    });
    const used = firstImages(dataset, plan.images);
    const perEpoch = Math.floor(plan.images / batch);
    const steps = plan.epochs * perEpoch;
    for (const course of courses) {
      course.events = train(course.trainer, used, {
        epochs: plan.epochs,
        schedule: cosine({ base: learningRate, steps, warmUp: Math.floor(steps / 5) }),
        seed,
        evaluateEvery: plan.epochs,
        signal,
        // Preparing a batch takes a hundredth of a step, and workers of other trainings would disturb.
        prefetch: false,
      });
    }
    // Epoch by epoch in turns, so that what drifts on the machine falls on all alike; then the tests.
    for (let epoch = 0; epoch <= plan.epochs; epoch++) {
      const order = permutation(foldIn(key, epoch), courses.length);
      for (const i of order) {
        const course = courses[i] as Course;
        status(
          epoch < plan.epochs
            ? `epoch ${epoch + 1}/${plan.epochs}: ${course.name}`
            : `testing ${course.name}`,
        );
        await advance(course, batch);
        if (course.evaluation === undefined || signal.aborted) continue;
        const { model } = course.trainer;
        const tensors = await stateDictOf(course.trainer);
        const some = { dataset: used, batch: Math.min(batch, used.test.count), key, signal };
        try {
          const { test } = used;
          course.inTraining = await evaluateWithBatchStatistics(
            backend,
            model,
            tensors,
            test,
            some,
          );
        } catch (error) {
          // The test's images may be too few for the norm.
          if (!(error instanceof RangeError)) throw error;
          leftOut.push(`${course.name} is not tested with batch statistics: ${error.message}`);
        }
      }
    }
    const section = describe(context, dataset, plan, courses, backend.description, speed);
    return { ...section, caption: [...section.caption, ...leftOut] };
  } finally {
    for (const { events, trainer } of courses) {
      await events?.return();
      await trainer.dispose();
    }
  }
}

/** A network for minutes: a third of ResNet-20, one block in each stage. */
function modelOf(name: string | undefined, norm: Norm, dataset: Dataset): Model {
  const shared = { norm, classes: dataset.classes.length, inputShape: dataset.shape };
  return name === undefined ? resnet({ ...shared, depth: 8 }) : parseModel(name)(shared);
}

/** Training images a second, from a few steps. */
async function trialSpeed(
  { key, signal }: SuiteContext,
  trainer: Trainer,
  dataset: Dataset,
): Promise<number> {
  const { batch } = trainer;
  const batches = createBatches(dataset.train, { dataset, batchSize: batch, key });
  await trainer.initialize(key);
  const { images, labels } = batches.batch(0, 0);
  const times: number[] = [];
  for (let trial = 0; trial < 4 && !signal.aborted; trial++) {
    const began = performance.now();
    await trainer.step({ images, labels, learningRate: 0, key: foldIn(key, trial) });
    // The first step is slower.
    if (trial > 0) times.push(performance.now() - began);
    await turn();
  }
  return times.length === 0 ? batch : (1000 * batch) / Math.min(...times);
}

/** Goes on to the end of the epoch, or of the training after the last one. */
async function advance(course: Course, batch: number): Promise<void> {
  const { events } = course;
  if (events === undefined || course.failure !== undefined) return;
  try {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) return;
      if (event.type === "step")
        course.stepMilliseconds.push((1000 * batch) / event.imagesPerSecond);
      if (event.type === "evaluation") course.evaluation = event;
      if (event.type === "epoch") {
        course.trainingLoss = event.loss;
        return;
      }
      // So that Ctrl-C is heard between two steps.
      await turn();
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_DIVERGED") throw error;
    // A norm that a training diverges with is a result, too.
    course.failure = (error as Error).message.replace(/^train: /, "");
  }
}

/** The data set with the first `count` training images only. */
function firstImages(dataset: Dataset, count: number): Dataset {
  const { train: all, shape } = dataset;
  if (count === all.count) return dataset;
  const size = shape[0] * shape[1] * shape[2];
  const images = all.images.subarray(0, count * size);
  return createDataset({
    ...dataset,
    train: { count, images, labels: all.labels.subarray(0, count) },
  });
}

function describe(
  { key, options, signal }: SuiteContext,
  dataset: Dataset,
  { epochs, images }: TrainingPlan,
  courses: readonly Course[],
  backend: string,
  speed: number,
): Section {
  const { seed, time } = options;
  const { batch, model } = (courses[0] as Course).trainer;
  const results: Result[] = [];
  const failures: string[] = [];
  const rows = courses.map((course) => {
    const { name, stepMilliseconds, trainingLoss, evaluation, inTraining, failure } = course;
    const time = estimateMedian(stepMilliseconds, { key });
    const rate = mapEstimate(time, (milliseconds) => (1000 * batch) / milliseconds);
    results.push(...resultsOf(name, "images/s", rate));
    if (failure !== undefined) failures.push(`${name}: ${failure}`);
    if (trainingLoss !== undefined) {
      results.push({ case: name, quantity: "training loss", value: trainingLoss });
    }
    const share = (quantity: string, test: Evaluation | undefined) => {
      if (test === undefined) return failure === undefined ? none : "diverged";
      const { accuracy: value, count } = test;
      const { low, high } = wilsonInterval(Math.round(value * count), count);
      results.push({ case: name, quantity, value, low, high });
      const [percent, from, to] = [value, low, high].map((x) => (100 * x).toFixed(1));
      return `${percent}% [${from}, ${to}]`;
    };
    return [
      name,
      share("test accuracy", evaluation),
      share("test accuracy with batch statistics", inTraining),
      trainingLoss === undefined ? none : trainingLoss.toFixed(3),
      rate === undefined ? none : short(rate.median),
    ];
  });
  const whole = images === dataset.train.count ? "all" : "the first";
  return {
    title: `accuracy: ${model.name}, ${epochs} ${epochs === 1 ? "epoch" : "epochs"}`,
    caption: [
      `Trained on ${whole} ${grouped(images)} of ${grouped(dataset.train.count)} images of ${dataset.name}, batch ${batch}, cosine from ${learningRate}, not augmented; so much fits into ${short(time)} s at the ${short(speed)} images/s of a first trial. Tested on ${grouped(dataset.test.count)} images; the 95% intervals are those of a test of this size, and say nothing of other seeds (this is ${seed}).`,
      `With batch statistics: each batch of the test is normalized as in training. Where that does much better, the network has learned, and its running statistics do not fit: pnpm train --recalibrate computes them anew.`,
      ...failures,
      ...(signal.aborted ? ["Interrupted: losses are those of the last whole epoch."] : []),
    ],
    head: ["norm", "test accuracy", "with batch statistics", "training loss", "images/s"],
    rows,
    settings: {
      model: model.name,
      epochs,
      trainImages: images,
      testImages: dataset.test.count,
      batch,
      learningRate,
      seed,
      data: dataset.name,
      backend,
    },
    series: seriesOf(
      "step",
      courses.map(({ name, stepMilliseconds: milliseconds }) => ({ name, milliseconds })),
    ),
    results,
  };
}
