// The loop: it learns, reports, checkpoints, and goes on bit for bit where it stopped.
import { createBatches } from "@fewnorm/data";
import { batchRenorm } from "@fewnorm/norm";
import { foldIn, key } from "@fewnorm/tensor";
import {
  adamw,
  averaged,
  type Checkpoint,
  classification,
  clipped,
  constant,
  cosine,
  decodeCheckpoint,
  encodeCheckpoint,
  evaluate,
  type HostTensor,
  lars,
  mixup,
  sgd,
  stateDictOf,
  stepsPerEpoch,
  type TrainEvent,
  type Trainer,
  type TrainOptions,
  train,
} from "@fewnorm/train";
import test from "tape";
import { tinyDataset, tinyModel, withTrainer } from "./tiny.ts";

const dataset = tinyDataset();
const epochs = 3;
const steps = epochs * stepsPerEpoch(dataset, 4);
const schedule = cosine({ base: 0.1, steps, warmUp: 4 });
// A worker a training would take longer than these trainings.
const common = { epochs, schedule, seed: 7, augment: { pad: 1 }, prefetch: false };

const foldInto = (seed: number) => (data: number) => foldIn(key(seed), data);

type Means = { readonly loss: number; readonly accuracy: number };

/** Runs a training to its end and returns its events and checkpoints. */
async function run(
  options: Partial<TrainOptions> = {},
  stopAfter = Number.POSITIVE_INFINITY,
  made: Parameters<typeof withTrainer>[1] = {},
) {
  const events: TrainEvent[] = [];
  const checkpoints: Checkpoint[] = [];
  const controller = new AbortController();
  await withTrainer(async (trainer) => {
    const all: TrainOptions = {
      ...common,
      save: async (checkpoint) => `checkpoint ${checkpoints.push(checkpoint)}`,
      signal: controller.signal,
      ...options,
    };
    if (stopAfter === 0) controller.abort();
    for await (const event of train(trainer, dataset, all)) {
      events.push(event);
      if (event.type === "step" && event.step === stopAfter) controller.abort();
    }
  }, made);
  return { events, checkpoints, last: checkpoints.at(-1) as Checkpoint };
}

test("a training reports in order and learns", async (t) => {
  const { events, last } = await run({ epochs: 12, schedule: constant(0.1) });
  const [start] = events;
  t.deepEqual(start, {
    type: "start",
    step: 0,
    epoch: 0,
    steps: 72,
    stepsPerEpoch: 6,
    parameters: 4 * 9 + 8 + 4 * 36 + 4 + 12 + 3,
  });
  const order = events.slice(1, 11).map((event) => `${event.type} ${event.epoch} ${event.step}`);
  t.deepEqual(order, [
    "checkpoint 0 0",
    "step 1 1",
    "step 1 2",
    "step 1 3",
    "step 1 4",
    "step 1 5",
    "step 1 6",
    "epoch 1 6",
    "evaluation 1 6",
    "checkpoint 1 6",
  ]);
  const done = events.at(-1);
  t.ok(done?.type === "done" && !done.interrupted);
  if (done?.type === "done") {
    // Ten test images: chance is 3 or 4 of them, and this seed gets all.
    t.ok((done.evaluation?.accuracy ?? 0) >= 0.8, `accuracy ${done.evaluation?.accuracy}`);
    t.ok((done.trainingLoss ?? 9) < 0.9, `loss ${done.trainingLoss}`);
    t.equal(last.progress.trainingLoss, done.trainingLoss);
  }
});

test("values, batches, samples and rates follow seed and step as the documentation says", async (t) => {
  const seed = foldInto(7);
  const batches = createBatches(dataset.train, {
    dataset,
    batchSize: 4,
    key: seed(1),
    augment: { pad: 1 },
  });
  await withTrainer(async (trainer) => {
    const begun: unknown[] = [];
    let step = 0;
    const watched: Trainer = {
      ...trainer,
      initialize(from) {
        begun.push(from);
        return trainer.initialize(from);
      },
      step(feeds) {
        const { images, labels } = batches.batch(Math.floor(step / 6), step % 6);
        t.deepEqual(feeds.key, foldIn(seed(2), step), `the key of step ${step}`);
        t.equal(feeds.learningRate, schedule(step), "the rate");
        t.deepEqual([feeds.images, feeds.labels], [images, labels], "the batch");
        step++;
        return trainer.step(feeds);
      },
    };
    for await (const _ of train(watched, dataset, { ...common, epochs: 2 }));
    t.deepEqual([begun, step], [[seed(0)], 12]);
  });
});

test("an epoch's loss and accuracy are the means of its steps", async (t) => {
  const { events } = await run();
  for (const epoch of [1, 2, 3]) {
    const own = events.filter((event) => event.type === "step" && event.epoch === epoch);
    const [end] = events.filter((event) => event.type === "epoch" && event.epoch === epoch);
    for (const what of ["loss", "accuracy"] as const) {
      const mean = own.reduce((sum, event) => sum + (event as Means)[what] / 6, 0);
      const off = Math.abs((end as Means)[what] - mean);
      // The backend's losses are rounded to float32.
      t.ok(own.length === 6 && off < 1e-6, `epoch ${epoch}, ${what}: off by ${off}`);
    }
  }
  const [last, done] = [events.findLast(({ type }) => type === "epoch"), events.at(-1)];
  t.equal((done as { trainingLoss?: number }).trainingLoss, (last as Means).loss);
});

test("the same seed gives the same training, another one another", async (t) => {
  const bytes = async (seed: number) => encodeCheckpoint((await run({ seed })).last);
  const first = await bytes(7);
  t.deepEqual(await bytes(7), first);
  t.notDeepEqual(await bytes(8), first);
});

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

test("averages are what is evaluated and saved, and training does not see them", async (t) => {
  const decay = 0.9;
  const plain = await run({}, undefined, { optimizer: sgd() });
  const dict = new Map<string, HostTensor>();
  const evaluations: number[] = [];
  await withTrainer(
    async (trainer) => {
      for await (const event of train(trainer, dataset, common)) {
        if (event.type === "evaluation") evaluations.push(event.loss);
      }
      for (const [name, tensor] of await stateDictOf(trainer)) dict.set(name, tensor);
      const all = await trainer.read();
      t.deepEqual(all.get("fc.weight"), plain.last.tensors.get("fc.weight"));
      t.deepEqual(dict.get("fc.weight")?.values, all.get("fc.weight.average")?.values);
      t.deepEqual(dict.get("bn1.running_mean"), all.get("bn1.running_mean"));
    },
    { optimizer: averaged(sgd(), decay) },
  );
  // A trainer without averages that has those of the first as its parameters evaluates alike.
  await withTrainer(async (trainer) => {
    await trainer.write(dict);
    const found = await evaluate(trainer, dataset.test, { dataset });
    t.equal(found.loss, evaluations.at(-1));
  });
  t.notDeepEqual(dict.get("fc.weight"), plain.last.tensors.get("fc.weight"));
});

test("a training interrupted mid-way says so and evaluates nothing more", async (t) => {
  const { events } = await run({}, 6);
  const types = events.slice(-4).map(({ type }) => type);
  t.deepEqual(types, ["step", "epoch", "checkpoint", "done"]);
  const done = events.at(-1);
  t.ok(done?.type === "done" && done.interrupted);
});

test("a training interrupted in its last test says so, and resumed makes up for it", async (t) => {
  await withTrainer(async (trainer) => {
    const saved: Checkpoint[] = [];
    const ends = async (stop: boolean) => {
      const controller = new AbortController();
      const resume = saved.at(-1);
      const events = train(trainer, tinyDataset(), {
        epochs: 1,
        schedule: () => 0.1,
        signal: controller.signal,
        save: async (checkpoint) => `${saved.push(checkpoint)}`,
        ...(resume === undefined ? {} : { resume: { checkpoint: resume, where: "memory" } }),
      });
      for await (const event of events) {
        if (event.type === "epoch" && stop) controller.abort();
        if (event.type === "done") return event;
      }
      throw new Error("no end");
    };
    const { interrupted, step, evaluation } = await ends(true);
    t.deepEqual([interrupted, evaluation], [true, undefined]);
    const end = await ends(false);
    t.deepEqual([end.interrupted, end.step, end.evaluation?.count], [false, step, 10]);
  });
});

test("evaluations and checkpoints come as often as asked, and always at the end", async (t) => {
  const { events } = await run({ evaluateEvery: 2, checkpointEvery: 4 });
  const at = (type: string) => events.filter((event) => event.type === type).map((e) => e.step);
  t.deepEqual(at("evaluation"), [12, 18]);
  t.deepEqual(at("checkpoint"), [0, 4, 8, 12, 16, 18]);
});

test("a loss that is not finite stops with step, rate and the last checkpoint", async (t) => {
  const wild = (step: number) => (step < 7 ? 0.1 : 1e30);
  let message = "";
  const checkpoints: Checkpoint[] = [];
  const save = async (checkpoint: Checkpoint) => `number ${checkpoints.push(checkpoint)}`;
  await run({ schedule: wild, save }).catch((error: Error) => {
    message = error.message;
  });
  t.match(message, /^train: the loss is (NaN|Infinity) at step \d+, learning rate 1e\+30; /);
  t.match(message, /the last good checkpoint is number 2, of step 6; try a lower learning rate/);
  t.equal(checkpoints.at(-1)?.step, 6, "nothing was saved after it");
});

test("states that are not finite are never saved", async (t) => {
  // The loss of the step is computed before the update that spoils the parameters.
  const wild = (step: number) => (step < 6 ? 0.1 : Number.MAX_VALUE);
  const checkpoints: Checkpoint[] = [];
  const save = async (checkpoint: Checkpoint) => `number ${checkpoints.push(checkpoint)}`;
  const promise = run({ schedule: wild, save, checkpointEvery: 1 });
  const message = await promise.then(
    () => "it ended",
    (error: Error) => error.message,
  );
  t.match(message, /^train: \S+ is not finite at step 7, .*number 7, of step 6/);
});

test("states that are not finite in the end are told where nothing is saved, too", async (t) => {
  const wild = (step: number) => (step < 17 ? 0.1 : Number.MAX_VALUE);
  const promise = run({ schedule: wild, save: undefined });
  const message = await promise.then(
    () => "it ended",
    (error: Error) => error.message,
  );
  t.match(message, /^train: \S+ is not finite at step 18, .*no checkpoint was saved/);
});

test("augmentations that mean the same are the same setting", async (t) => {
  const settings = async (augment: TrainOptions["augment"]) =>
    (await run({ augment }, 1)).last.settings.augment;
  t.equal(await settings({}), await settings(true));
  t.equal(await settings({ pad: 2, flip: false }), await settings({ flip: false, pad: 2 }));
  t.notEqual(await settings({ pad: 2 }), await settings(true));
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

test("options and data that do not fit are refused", async (t) => {
  const message = (options: Partial<TrainOptions>) =>
    run(options).then(
      () => "it ran",
      (error: Error) => error.message,
    );
  t.match(await message({ epochs: 0 }), /train: epochs is 0/);
  t.match(await message({ checkpointEvery: 0.5 }), /train: checkpointEvery is 0.5/);
  t.match(await message({ evaluateEvery: -1 }), /train: evaluateEvery is -1/);
  const rate = { schedule: 0.1 } as object;
  t.match(await message(rate), /train: schedule is 0.1; give .* such as constant\(0.1\)/);
  const other = { ...tinyModel(), inputShape: [3, 6, 6] as const };
  const problem = await withTrainer(
    async (trainer) => {
      for await (const event of train(trainer, dataset, common)) return event.type;
      return "";
    },
    { model: other },
  ).catch((error: Error) => error.message);
  t.match(problem, /takes images of 3×6×6, tiny has 1×6×6/);
  const few = await withTrainer(
    async (trainer) => {
      for await (const event of train(trainer, dataset, common)) return event.type;
      return "";
    },
    { batch: 27 },
  ).catch((error: Error) => error.message);
  t.match(few, /the batch is 27, but tiny has 26 training images/);
  for (const name of ["batch", "micro", "evaluationBatch"]) {
    const refused = await withTrainer(async () => "", { [name]: 0 }).catch(String);
    t.equal(refused, `RangeError: trace: ${name} is 0; give a whole number >= 1`);
  }
  // Found before the first step, not when an epoch is over.
  const begun = (data: typeof dataset) =>
    withTrainer(async (trainer) => {
      for await (const event of train(trainer, data, common)) return event.type;
      return "";
    }).catch((error: Error) => error.message);
  const none = { count: 0, images: new Uint8Array(0), labels: new Uint8Array(0) };
  t.match(await begun({ ...dataset, test: none }), /train: tiny has no test images/);
  const wrong = { ...dataset.test, labels: dataset.test.labels.with(3, 9) };
  t.match(await begun({ ...dataset, test: wrong }), /train: image 3 has label 9, but .* 3 classes/);
});

test("a prefetching worker changes nothing", async (t) => {
  const [direct, ahead] = [await run(), await run({ prefetch: true })];
  t.deepEqual(await encodeCheckpoint(ahead.last), await encodeCheckpoint(direct.last));
});

test("timers and signals come through while a training runs", async (t) => {
  let step = 0;
  const controller = new AbortController();
  await withTrainer(async (trainer) => {
    const timer = setTimeout(() => controller.abort(), 1);
    const options = { ...common, epochs: 500, schedule: constant(0.01), signal: controller.signal };
    for await (const event of train(trainer, dataset, options)) ({ step } = event);
    clearTimeout(timer);
  });
  t.ok(step < 3000, `it stopped after ${step} steps`);
});
