// What is asked of a trainer is done in that order, on what the feeds were, in however many runs a step is.
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { batchNorm } from "@fewnorm/norm";
import { key, normal } from "@fewnorm/tensor";
import { averaged, createTrainer, type HostTensor, sgd, type Trainer } from "@fewnorm/train";
import test from "tape";
import { tinyModel } from "./tiny.ts";

const batch = 12;
const feedsOf = (seed: number) => ({
  images: Float32Array.from(normal(key(seed), batch * 36)),
  labels: Int32Array.from({ length: batch }, (_, i) => (i * i) % 3),
  key: key(9),
  learningRate: 0.1,
});

const create = async (micro: number, optimizer = sgd()): Promise<Trainer> => {
  const backend = await createReferenceBackend({ precision: "float64" });
  const trainer = await createTrainer(backend, tinyModel("tiny", batchNorm()), {
    batch,
    micro,
    optimizer,
  });
  await trainer.initialize(key(1));
  return trainer;
};

const valuesOf = (tensors: ReadonlyMap<string, HostTensor>) =>
  [...tensors].map(([name, { values }]) => [name, Array.from(values)]);

for (const micro of [batch, 4]) {
  test(`feeds that change while steps run or wait, ${micro} images at a time`, async (t) => {
    const trainer = await create(micro);
    const expected = [await trainer.step(feedsOf(2)), await trainer.step(feedsOf(3))];
    await trainer.initialize(key(1));
    const feeds = [feedsOf(2), feedsOf(3)];
    const running = feeds.map((one) => trainer.step(one));
    for (const { images, labels } of feeds) {
      images.fill(0);
      labels.fill(0);
    }
    t.deepEqual(await Promise.all(running), expected);
    await trainer.dispose();
  });

  test(`states are read and written before or after a step, ${micro} images at a time`, async (t) => {
    const trainer = await create(micro);
    const before = await trainer.read();
    const first = trainer.read();
    trainer.step(feedsOf(2));
    const second = trainer.read();
    const logits = trainer.logits(feedsOf(3).images.subarray(0, micro * 36));
    t.deepEqual(valuesOf(await first), valuesOf(before), "before");
    const after = await trainer.read();
    t.deepEqual(valuesOf(await second), valuesOf(after), "after");
    t.notDeepEqual(valuesOf(before), valuesOf(after), "the step changes something");
    t.deepEqual(await logits, await trainer.logits(feedsOf(3).images.subarray(0, micro * 36)));
    const step = trainer.step(feedsOf(3));
    const back = trainer.write(before);
    await Promise.all([step, back]);
    t.deepEqual(valuesOf(await trainer.read()), valuesOf(before), "written after the step");
    await Promise.all([trainer.step(feedsOf(2)), trainer.dispose()]);
  });
}

test("a learning rate that is none is refused before anything runs", async (t) => {
  for (const micro of [batch, 4]) {
    const trainer = await create(micro);
    const before = valuesOf(await trainer.read());
    for (const learningRate of [undefined as unknown as number, Number.NaN, Infinity]) {
      const step = trainer.step({ ...feedsOf(2), learningRate });
      const refused = await step.then(String, String);
      t.match(refused, new RegExp(`^RangeError: step: learningRate is ${learningRate}; give a`));
    }
    t.deepEqual(valuesOf(await trainer.read()), before, "the states are as before");
    await trainer.dispose();
  }
});

test("after a first step that failed, evaluation still takes what is written", async (t) => {
  const trainer = await create(batch, averaged(sgd(), 0.9));
  const { images } = feedsOf(2);
  const weights = new Map(
    [...(await trainer.read())].filter(([name]) => /^(conv|fc)[^ ]*(weight|bias)$/.test(name)),
  );
  const triple = new Map(
    [...weights].map(([name, { shape, values }]) => [
      name,
      { shape, values: values.map((x) => 3 * x) },
    ]),
  );
  await trainer.write(triple);
  const expected = Array.from(await trainer.logits(images));
  await trainer.write(weights);
  const failing = { ...feedsOf(2), labels: new Int32Array(batch).fill(99) };
  await trainer.step(failing).then(
    () => t.fail("labels that there are not must be an error"),
    () => t.pass("the step fails"),
  );
  await trainer.write(triple);
  t.deepEqual(Array.from(await trainer.logits(images)), expected);
  await trainer.dispose();
});

test("averages are what is written until the first step, and anew after initialize", async (t) => {
  const trainer = await create(batch, averaged(sgd(), 0.9));
  const { images } = feedsOf(2);
  const logits = async () => Array.from(await trainer.logits(images));
  const bias = new Map([["fc.bias", { shape: [3], values: Float32Array.of(1, 2, 3) }]]);
  const first = await logits();
  await trainer.write(bias);
  const written = await logits();
  t.notDeepEqual(written, first, "before a step");
  await trainer.step(feedsOf(2));
  const stepped = await logits();
  t.notDeepEqual(stepped, written);
  await trainer.write(bias);
  t.deepEqual(await logits(), stepped, "after a step the averages stay");
  await trainer.initialize(key(1));
  t.deepEqual(await logits(), first, "initialized again");
  await trainer.write(bias);
  t.deepEqual(await logits(), written, "as before the first step");
  await trainer.dispose();
});

test("a step before there are values is refused", async (t) => {
  const backend = await createReferenceBackend({ precision: "float64" });
  const trainer = await createTrainer(backend, tinyModel("tiny", batchNorm()), { batch });
  const { images } = feedsOf(2);
  for (const run of [() => trainer.step(feedsOf(2)), () => trainer.logits(images)]) {
    const problem = await run().then(
      () => "it ran",
      ({ message }: Error) => message,
    );
    t.match(
      problem,
      /states of tiny have no values yet \(conv1\.weight, .* 4 more\); call initialize/,
    );
  }
  const first = trainer.initialize(key(1));
  const { loss } = await trainer.step(feedsOf(2));
  t.ok(Number.isFinite(loss), "after initialize, which need not be awaited");
  await first;

  const other = await createTrainer(backend, tinyModel("tiny", batchNorm()), { batch });
  const { "fc.bias": last, ...rest } = Object.fromEntries(await trainer.read());
  await other.write(new Map(Object.entries(rest)));
  const problem = await other.logits(images).then(String, String);
  t.match(problem, /^Error: logits: states of tiny have no values yet \(fc\.bias\); call/);
  await other.write(new Map([["fc.bias", last as HostTensor]]));
  t.equal((await other.logits(images)).length, batch * 3, "after write");
  await trainer.dispose();
  await other.dispose();
  await backend.dispose();
  t.end();
});

test("a trainer that was disposed says so, whatever is asked of it", async (t) => {
  const trainer = await create(batch);
  const tensors = await trainer.read();
  await trainer.dispose();
  const uses = {
    initialize: () => trainer.initialize(key(1)),
    step: () => trainer.step(feedsOf(2)),
    logits: () => trainer.logits(feedsOf(2).images),
    read: () => trainer.read(),
    write: () => trainer.write(tensors),
  };
  for (const [name, use] of Object.entries(uses)) {
    const said = await use().then(String, String);
    t.equal(said, `Error: ${name}: the trainer was disposed; create another`);
  }
  await trainer.dispose();
});
