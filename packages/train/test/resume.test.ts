// A training that was stopped goes on where it was, bit for bit; another one is refused.
import { batchRenorm } from "@fewnorm/norm";
import {
  adamw,
  averaged,
  classification,
  clipped,
  decodeCheckpoint,
  encodeCheckpoint,
  lars,
  mixup,
  sgd,
  type TrainEvent,
  type TrainOptions,
  train,
} from "@fewnorm/train";
import test from "tape";
import { tinyModel, withTrainer } from "./tiny.ts";
import { common, dataset, run, steps } from "./trainings.ts";

test("stopped after any step and resumed, it ends bit-identical", async (t) => {
  const whole = await run();
  const expected = await encodeCheckpoint(whole.last);
  const stepsOf = (events: TrainEvent[]) =>
    events.flatMap((event) => (event.type === "step" ? [`${event.step} ${event.loss}`] : []));
  for (let stop = 0; stop <= steps; stop++) {
    const before = await run({}, stop);
    t.equal(before.last.step, stop, `stopped after step ${stop}`);
    const resume = { checkpoint: before.last, where: "here" };
    const after = await run({ resume });
    const last = after.checkpoints.at(-1) ?? before.last;
    t.deepEqual(await encodeCheckpoint(last), expected, `resumed from step ${stop}`);
    // After an epoch there is the evaluation to add.
    const again = after.checkpoints.filter(({ step }) => step === stop).length;
    t.equal(again, stop > 0 && stop % 6 === 0 ? 1 : 0, "what is saved is not saved once more");
    t.deepEqual([...stepsOf(before.events), ...stepsOf(after.events)], stepsOf(whole.events));
    const [done, wholeDone] = [after.events.at(-1), whole.events.at(-1)];
    t.deepEqual(done, wholeDone, "the same final report");
  }
});

test("so does one with every optimizer, averages, clipping, mixup, a growing renormalization, micro-batches", async (t) => {
  const objective = mixup(classification({ labelSmoothing: 0.1 }), { alpha: 0.4 });
  const model = tinyModel("tiny", batchRenorm({ warmUp: 2 }));
  const optimizers = [
    averaged(clipped(adamw({ weightDecay: 0.1 }), 1), 0.9),
    clipped(averaged(sgd({ nesterov: true }), 0.99), 0.5),
    lars({ trust: 0.1 }),
  ];
  const split = { optimizer: averaged(clipped(sgd(), 1), 0.9), objective, micro: 2 };
  for (const made of [...optimizers.map((optimizer) => ({ optimizer, objective, model })), split]) {
    const { optimizer } = made;
    const whole = await run({}, undefined, made);
    const expected = await encodeCheckpoint(whole.last);
    t.equal(whole.last.settings.objective, objective.name);
    for (const stop of [1, 5, 12]) {
      const { last } = await run({}, stop, made);
      // Through bytes, as on disk.
      const checkpoint = await decodeCheckpoint(await encodeCheckpoint(last));
      const after = await run({ resume: { checkpoint, where: "here" } }, undefined, made);
      const found = await encodeCheckpoint(after.last);
      t.deepEqual(found, expected, `${optimizer.name}: resumed from step ${stop}`);
      t.deepEqual(after.events.at(-1), whole.events.at(-1), "the same final report");
    }
  }
});

test("a checkpoint of another training is refused before anything changes", async (t) => {
  const { last } = await run({}, 2);
  const resume = { checkpoint: last, where: "here" };
  const message = (options: Partial<TrainOptions>, made: Parameters<typeof withTrainer>[1] = {}) =>
    run({ resume, ...options }, undefined, made).then(
      () => "it ran",
      (error: Error) => error.message,
    );
  t.match(
    await message({ seed: 8 }),
    /resume: here belongs to another training \(seed is 7 there, 8 here\)/,
  );
  t.match(await message({ settings: { norm: "bn" } }), /norm is not set there, bn here/);
  t.match(await message({ augment: false }), /augment is .* there, false here/);
  t.match(await message({}, { micro: 2 }), /micro is not set there, 2 here/);
  const mislabelled = (split: "train" | "test") => {
    const labels = dataset[split].labels.toReversed();
    return withTrainer(async (trainer) => {
      const data = { ...dataset, [split]: { ...dataset[split], labels } };
      for await (const event of train(trainer, data, { ...common, resume })) return event.type;
      return "";
    }).catch((error: Error) => error.message);
  };
  for (const split of ["train", "test"] as const) {
    t.match(await mislabelled(split), /\(labels is checksum \w{8} there, checksum \w{8} here\)/);
  }
  const late = { checkpoint: { ...last, step: 100 }, where: "here" };
  t.match(await message({ resume: late }), /here is of step 100, but 3 epochs have 18/);
});

test("a checkpoint's labels are the same in an array of another type", async (t) => {
  const { last: checkpoint } = await run({}, 2);
  const { train: training, test: testing } = dataset;
  const wide = {
    ...dataset,
    train: { ...training, labels: Uint16Array.from(training.labels) },
    test: { ...testing, labels: Int32Array.from(testing.labels) },
  };
  const options = { ...common, resume: { checkpoint, where: "here" } };
  const first = await withTrainer(async (trainer) => train(trainer, wide, options).next());
  t.equal(first.value?.type, "start");
});

test("a checkpoint that does not know its labels, as older ones, is resumed and learns them", async (t) => {
  const { last } = await run({}, 2);
  const { labels, ...settings } = last.settings;
  const resumed = await run({ resume: { checkpoint: { ...last, settings }, where: "here" } });
  t.equal(resumed.last.settings.labels, labels);
  t.deepEqual(resumed.last.tensors, (await run()).last.tensors);
});
