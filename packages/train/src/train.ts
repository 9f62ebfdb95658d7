// The training loop, as a stream of events.

import { createPrefetch, type Dataset } from "@fewnorm/data";
import { foldIn, key as keyOf, sizeOf } from "@fewnorm/tensor";
import type { Progress } from "./checkpoint.ts";
import { divergence, type LastCheckpoint, notFinite } from "./divergence.ts";
import { evaluate } from "./evaluate.ts";
import type { TrainEvent } from "./events.ts";
import { addScores, noScores, scoreLogits } from "./scores.ts";
import { stepsPerEpoch } from "./steps-per-epoch.ts";
import { checkTraining, type TrainOptions } from "./train-options.ts";
import type { Trainer } from "./trainer.ts";
import { checkResumed, ownSettings } from "./training-settings.ts";
import { turn } from "./turn.ts";

/**
 * Trains on `dataset.train` and evaluates on `dataset.test`. Parameters begin from `foldIn(key, 0)` of the
 * seed's key, epochs are shuffled and augmented by `foldIn(key, 1)`, step s draws its samples from
 * `foldIn(foldIn(key, 2), s)`: so a resumed training equals one that never stopped, bit for bit, on the
 * same backend with the same number of threads.
 *
 * It runs while its events are iterated, as by `for await`, and only then. Leaving the loop ends it without a last
 * checkpoint; `signal` ends it with one.
 * @throws RangeError for options out of range, and for NaN or Inf in the values to begin with; Error for a
 *   checkpoint of another training, and, with the `code` ERR_DIVERGED, when the loss or, at a checkpoint or in the end, any
 *   state is NaN or Inf.
 */
export async function* train(
  trainer: Trainer,
  dataset: Dataset,
  options: TrainOptions,
): AsyncGenerator<TrainEvent, void, undefined> {
  checkTraining(trainer, dataset, options);
  const { epochs, schedule, seed = 0, augment = false, evaluateEvery = 1, signal } = options;
  const { batch, model, states } = trainer;
  const perEpoch = stepsPerEpoch(dataset, batch);
  const { checkpointEvery = perEpoch, resume, save, notes = {}, prefetch = true } = options;
  const key = keyOf(seed);
  const stepKey = foldIn(key, 2);
  const steps = epochs * perEpoch;
  const settings = { ...ownSettings(trainer, dataset, seed, augment), ...options.settings };

  let step = 0;
  let progress: Progress = { epoch: noScores };
  let last: LastCheckpoint | undefined;
  if (resume !== undefined) {
    checkResumed(trainer, settings, { epochs, steps }, resume);
    ({ step, progress } = resume.checkpoint);
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
      // What is not saved here may be in the end.
      if (due && saved !== step && (save !== undefined || ending)) {
        const tensors = await trainer.read();
        const spoiled = notFinite(tensors);
        if (spoiled !== undefined) {
          throw divergence(`${spoiled} is not finite`, step, schedule(Math.max(0, step - 1)), last);
        }
        saved = step;
        if (save !== undefined) {
          last = { step, where: await save({ step, settings, notes, progress, tensors }) };
          yield { type: "checkpoint", ...position(), where: last.where };
        }
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
