// The training loop, as a stream of events.

import { type Augmentation, createPrefetch, type Dataset } from "@fewnorm/data";
import { checkMethod, checkOptions, foldIn, key as keyOf, sizeOf } from "@fewnorm/tensor";
import { type Checkpoint, checkCheckpoint, type Progress, type Settings } from "./checkpoint.ts";
import { checksum } from "./checksum.ts";
import { divergence, type LastCheckpoint, notFinite } from "./divergence.ts";
import { evaluate } from "./evaluate.ts";
import type { TrainEvent } from "./events.ts";
import type { Schedule } from "./schedule.ts";
import { addScores, checkLabels, noScores, scoreLogits } from "./scores.ts";
import type { HostTensor, Trainer } from "./trainer.ts";
import { turn } from "./turn.ts";

/** Options of {@link train}. */
export interface TrainOptions {
  /** How often every training image is seen; a whole number from 1. */
  readonly epochs: number;
  /** The learning rate of each step, such as `constant(0.1)` or `cosine({ base: 0.1, steps })`. */
  readonly schedule: Schedule;
  /** Whole number; the same seed gives the same training. Default 0. */
  readonly seed?: number;
  /** Pad, crop and flip; default false. */
  readonly augment?: boolean | Augmentation;
  /** Epochs from one evaluation on the test images to the next; the last epoch always has one. Default 1. */
  readonly evaluateEvery?: number;
  /** Steps from one checkpoint to the next; default: those of an epoch. The first and last step have one. */
  readonly checkpointEvery?: number;
  /** Keeps a checkpoint and says where. Without it none are made. */
  readonly save?: (checkpoint: Checkpoint) => Promise<string>;
  /** Goes on from here instead of beginning; `where` names it in messages. */
  readonly resume?: { readonly checkpoint: Checkpoint; readonly where: string };
  /** Begins with these values instead of drawn ones, as `readStateDict` gives them; a resumed training has its own. */
  readonly initial?: ReadonlyMap<string, HostTensor>;
  /** More settings that the results depend on, such as the norm's name: to resume, they must be the same. */
  readonly settings?: Settings;
  /** What a checkpoint shall remember but may change. */
  readonly notes?: Settings;
  /** Stops after the step that is running, and saves a checkpoint. */
  readonly signal?: AbortSignal;
  /** Prepares batches in a worker; default true. */
  readonly prefetch?: boolean;
}

/**
 * Steps of an epoch: images that do not fill a batch are left out, others in each epoch.
 * @throws RangeError when the batch is larger than the training images are many.
 */
export function stepsPerEpoch(dataset: Dataset, batch: number): number {
  if (batch > dataset.train.count) {
    throw new RangeError(
      `train: the batch is ${batch}, but ${dataset.name} has ${dataset.train.count} training images; use a smaller batch`,
    );
  }
  return Math.floor(dataset.train.count / batch);
}

/**
 * Trains on `dataset.train` and evaluates on `dataset.test`. Parameters begin from `foldIn(key, 0)` of the
 * seed's key, epochs are shuffled and augmented by `foldIn(key, 1)`, step s draws its samples from
 * `foldIn(foldIn(key, 2), s)`: so a resumed training equals one that never stopped, bit for bit, on the
 * same backend with the same number of threads.
 *
 * It runs while its events are iterated, as by `for await`, and only then. Leaving the loop ends it without a last
 * checkpoint; `signal` ends it with one.
 * @throws RangeError for options out of range, and for NaN or Inf in the values to begin with; Error for a
 *   checkpoint of another training, and when the loss or, at a checkpoint, any state is NaN or Inf.
 */
export async function* train(
  trainer: Trainer,
  dataset: Dataset,
  options: TrainOptions,
): AsyncGenerator<TrainEvent, void, undefined> {
  checkMethod("train", "trainer", trainer, "step", "what createTrainer makes");
  checkOptions("train", options, {
    epochs: "number",
    schedule: "any",
    seed: "number",
    augment: "any",
    evaluateEvery: "number",
    checkpointEvery: "number",
    save: "function",
    resume: "any",
    initial: "any",
    settings: "any",
    notes: "any",
    signal: "any",
    prefetch: "boolean",
  });
  const { epochs, schedule, seed = 0, augment = false, evaluateEvery = 1, signal } = options;
  const { batch, model, states } = trainer;
  const perEpoch = stepsPerEpoch(dataset, batch);
  const { checkpointEvery = perEpoch, resume, save, notes = {}, prefetch = true } = options;
  checkCount("epochs", epochs);
  if (typeof schedule !== "function") {
    throw new TypeError(
      `train: schedule is ${schedule}; give the learning rate of each step, such as constant(0.1)`,
    );
  }
  checkCount("evaluateEvery", evaluateEvery);
  checkCount("checkpointEvery", checkpointEvery);
  checkDataset(trainer, dataset);
  const key = keyOf(seed);
  const stepKey = foldIn(key, 2);
  const steps = epochs * perEpoch;
  const settings = { ...ownSettings(trainer, dataset, seed, augment), ...options.settings };

  const spoilt = notFinite(options.initial ?? new Map());
  if (spoilt !== undefined) {
    throw new RangeError(
      `train: ${spoilt} is not finite in the values to begin with; begin with other ones`,
    );
  }

  let step = 0;
  let progress: Progress = { epoch: noScores };
  let last: LastCheckpoint | undefined;
  if (resume !== undefined) {
    // Older checkpoints do not know their labels.
    const { labels: _, ...unlabelled } = settings;
    const knows = "labels" in resume.checkpoint.settings;
    const expected = { states, settings: knows ? settings : unlabelled };
    checkCheckpoint(resume.checkpoint, expected, resume.where);
    ({ step, progress } = resume.checkpoint);
    if (step > steps) {
      throw new RangeError(
        `train: ${resume.where} is of step ${step}, but ${epochs} epochs have ${steps}; ask for more epochs`,
      );
    }
    last = { step, where: resume.where };
  }
  const batches = await createPrefetch(dataset.train, {
    dataset,
    batchSize: batch,
    key: foldIn(key, 1),
    augment,
    worker: prefetch,
  });
  const position = () => ({ step, epoch: Math.ceil(step / perEpoch) });

  try {
    if (resume === undefined) {
      await trainer.initialize(foldIn(key, 0));
      await trainer.write(options.initial ?? new Map());
    } else await trainer.write(resume.checkpoint.tensors);
    const parameters = states
      .filter(({ kind }) => kind === "parameter")
      .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    yield { type: "start", ...position(), steps, stepsPerEpoch: perEpoch, parameters };

    let saved = resume?.checkpoint.step;
    for (;;) {
      const { epoch } = position();
      const evaluationDue =
        step > 0 && step % perEpoch === 0 && (epoch % evaluateEvery === 0 || step === steps);
      if (evaluationDue && progress.evaluation?.step !== step && !signal?.aborted) {
        const evaluation = await evaluate(trainer, dataset.test, { dataset, signal });
        if (evaluation !== undefined) {
          progress = { ...progress, evaluation: { ...evaluation, step } };
          saved = undefined;
          yield { type: "evaluation", ...position(), ...evaluation };
        }
      }
      await turn();
      const ending = step === steps || signal?.aborted === true;
      const due = ending || step === 0 || step % checkpointEvery === 0;
      if (save !== undefined && due && saved !== step) {
        const tensors = await trainer.read();
        const spoiled = notFinite(tensors);
        if (spoiled !== undefined) {
          throw divergence(`${spoiled} is not finite`, step, schedule(Math.max(0, step - 1)), last);
        }
        last = { step, where: await save({ step, settings, notes, progress, tensors }) };
        saved = step;
        yield { type: "checkpoint", ...position(), where: last.where };
      }
      if (ending) break;

      const started = performance.now();
      const { images, labels } = await batches.batch(Math.floor(step / perEpoch), step % perEpoch);
      const learningRate = schedule(step);
      const result = await trainer.step({
        images,
        labels,
        learningRate,
        key: foldIn(stepKey, step),
      });
      step++;
      const { loss, logits } = result;
      if (!Number.isFinite(loss)) throw divergence(`the loss is ${loss}`, step, learningRate, last);
      const scores = scoreLogits(logits, labels, model.classes, batch);
      progress = { ...progress, epoch: addScores(progress.epoch, scores) };
      yield {
        type: "step",
        ...position(),
        loss,
        accuracy: scores.correct / batch,
        learningRate,
        imagesPerSecond: (1000 * batch) / (performance.now() - started),
      };
      if (step % perEpoch === 0) {
        const { count, loss: sum, correct } = progress.epoch;
        progress = { ...progress, epoch: noScores, trainingLoss: sum / count };
        yield { type: "epoch", ...position(), loss: sum / count, accuracy: correct / count };
      }
    }
    yield {
      type: "done",
      ...position(),
      interrupted: step < steps || progress.evaluation?.step !== step,
      trainingLoss: progress.trainingLoss,
      evaluation: progress.evaluation,
    };
  } finally {
    await batches.dispose();
  }
}

/** What the results depend on, as far as the loop knows it. */
function ownSettings(
  { model, optimizer, objective, batch, micro }: Trainer,
  dataset: Dataset,
  seed: number,
  augment: boolean | Augmentation,
): Settings {
  return {
    model: model.name,
    optimizer: optimizer.name,
    objective: objective.name,
    batch,
    ...(micro === batch ? {} : { micro }),
    seed,
    augment: typeof augment === "boolean" ? augment : JSON.stringify(augment),
    dataset: `${dataset.name}, ${dataset.train.count} + ${dataset.test.count} images of ${dataset.shape.join("×")}, mean ${dataset.mean.map((μ) => μ.toPrecision(12)).join(", ")}`,
    labels: `checksum ${labelChecksum(dataset).toString(16).padStart(8, "0")}`,
  };
}

const labelChecksum = ({ train, test }: Dataset): number =>
  checksum([...train.labels, ...test.labels]);

function checkCount(name: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 1)) {
    throw new RangeError(`train: ${name} is ${value}; give a whole number >= 1`);
  }
}

function checkDataset({ model }: Trainer, dataset: Dataset): void {
  if (model.inputShape.some((length, axis) => length !== dataset.shape[axis])) {
    throw new RangeError(
      `train: ${model.name} takes images of ${model.inputShape.join("×")}, ${dataset.name} has ${dataset.shape.join("×")}; build the model with the data set's shape`,
    );
  }
  if (model.classes < dataset.classes.length) {
    throw new RangeError(
      `train: ${model.name} tells ${model.classes} classes apart, ${dataset.name} has ${dataset.classes.length}; build the model with as many`,
    );
  }
  // What the last epoch would fail at, after all the work.
  if (dataset.test.count < 1) {
    throw new RangeError(
      `train: ${dataset.name} has no test images; set some of its images aside to evaluate with`,
    );
  }
  for (const split of [dataset.train, dataset.test]) checkLabels("train", split, model);
}
