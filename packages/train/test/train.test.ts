// The loop: it learns, reports and checkpoints.
import { createBatches } from "@fewnorm/data";
import { foldIn, key } from "@fewnorm/tensor";
import {
  averaged,
  type Checkpoint,
  constant,
  encodeCheckpoint,
  evaluate,
  type HostTensor,
  sgd,
  stateDictOf,
  type Trainer,
  type TrainOptions,
  train,
} from "@fewnorm/train";
import test from "tape";
import { tinyDataset, tinyModel, withTrainer } from "./tiny.ts";
import { common, dataset, run, schedule } from "./trainings.ts";

const foldInto = (seed: number) => (data: number) => foldIn(key(seed), data);

type Means = { readonly loss: number; readonly accuracy: number };

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
