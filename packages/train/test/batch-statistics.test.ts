// Recalibration and evaluation by the batch's own statistics.
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { dense, dropout, globalAveragePool, type Model } from "@fewnorm/nn";
import {
  batchNorm,
  batchRenorm,
  ghostBatchNorm,
  groupNorm,
  instanceNorm,
  type Norm,
} from "@fewnorm/norm";
import { featureSampling } from "@fewnorm/sampling-feature";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { add, foldIn, key, permutation } from "@fewnorm/tensor";
import {
  evaluate,
  evaluateWithBatchStatistics,
  type HostTensor,
  initializeStates,
  modelStates,
  recalibrate,
} from "@fewnorm/train";
import test from "tape";
import { tinyDataset, tinyModel, withTrainer } from "./tiny.ts";

const dataset = tinyDataset();

/** A norm alone, on the images themselves. */
const bare = (norm: Norm, classes = 3): Model => ({
  name: "bare",
  inputShape: [1, 6, 6],
  classes,
  logits: (scope, images) =>
    dense(scope, "fc", globalAveragePool(norm.layer(scope, "bn", images)), { units: classes }),
});

/** First values of a model's states. */
function tensorsOf(model: Model): Map<string, HostTensor> {
  const states = modelStates(model);
  const values = initializeStates(states, key(1));
  return new Map(
    states.map(({ name, shape }) => [name, { shape, values: values.get(name) as Float32Array }]),
  );
}

const float64 = () => createReferenceBackend({ precision: "float64" });

test("recalibrate averages the batches' means and unbiased variances", async (t) => {
  const backend = float64();
  const model = bare(batchNorm().calibration?.() as Norm);
  const options = { dataset, batch: 8, batches: 3, key: key(5) };
  const found = await recalibrate(backend, model, tensorsOf(model), dataset.train, options);
  const order = permutation(foldIn(key(5), 0), dataset.train.count);
  let [mean, variance] = [0, 0];
  for (let b = 0; b < 3; b++) {
    const values = Array.from(order.subarray(8 * b, 8 * b + 8)).flatMap((image) =>
      Array.from(dataset.train.images.subarray(36 * image, 36 * image + 36), (pixel) => {
        const [μ = 0, σ = 1] = [dataset.mean[0], dataset.deviation[0]];
        return (pixel / 255 - μ) / σ;
      }),
    );
    const μ = values.reduce((a, x) => a + x, 0) / values.length;
    mean += μ / 3;
    variance += values.reduce((a, x) => a + (x - μ) ** 2, 0) / (values.length - 1) / 3;
  }
  // The results are rounded to float32, and so are the images.
  const [foundMean, foundVariance] = ["bn.running_mean", "bn.running_var"].map(
    (name) => found.get(name)?.values[0] ?? Number.NaN,
  );
  t.ok(Math.abs((foundMean as number) - mean) < 1e-6, `mean ${foundMean}, expected ${mean}`);
  t.ok(Math.abs((foundVariance as number) - variance) < 1e-6, `variance ${foundVariance}`);
  t.deepEqual([...found.keys()].sort(), ["bn.running_mean", "bn.running_var"]);
  await backend.dispose();
});

test("whatever the statistics came from, recalibration takes them from whole real batches", async (t) => {
  const backend = float64();
  const norms = [
    batchNorm(),
    batchNorm({ sampling: virtualDataset({ images: 2 }) }),
    batchNorm({ sampling: featureSampling({ height: 2, width: 2 }) }),
    ghostBatchNorm({ virtualBatchSize: 2 }),
  ];
  const results: Map<string, HostTensor>[] = [];
  for (const norm of norms) {
    const model = tinyModel("tiny", norm.calibration?.() as Norm);
    const options = { dataset, batch: 13 };
    const found = await recalibrate(backend, model, tensorsOf(model), dataset.train, options);
    results.push(found as Map<string, HostTensor>);
  }
  for (const [i, found] of results.entries()) t.deepEqual(found, results[0], norms[i]?.name);
  const renorm = tinyModel("tiny", batchRenorm().calibration?.() as Norm);
  const options = { dataset, batch: 13 };
  const found = await recalibrate(backend, renorm, tensorsOf(renorm), dataset.train, options);
  t.deepEqual([...found.keys()].sort(), ["bn1.running_mean", "bn1.running_std"]);
  t.deepEqual(found.get("bn1.running_mean"), results[0]?.get("bn1.running_mean"));
  await backend.dispose();
});

test("recalibration mends statistics that are not finite", async (t) => {
  const backend = float64();
  for (const norm of [batchNorm(), batchRenorm()]) {
    const model = tinyModel("tiny", norm.calibration?.() as Norm);
    const whole = tensorsOf(model);
    const spoilt = new Map(
      [...whole].map(([name, { shape, values }]) => {
        const broken = name.includes("running")
          ? values.map((_, i) => [NaN, Infinity][i % 2]!)
          : values;
        return [name, { shape, values: broken }];
      }),
    );
    const of = (tensors: Map<string, HostTensor>) =>
      recalibrate(backend, model, tensors, dataset.train, { dataset, batch: 13 });
    t.deepEqual(await of(spoilt), await of(whole), norm.name);
  }
  await backend.dispose();
});

test("recalibrated on a batch, evaluation of it is that by its own statistics", async (t) => {
  const model = tinyModel("tiny", batchNorm({ sampling: virtualDataset({ images: 2 }) }));
  const whole = tinyModel("tiny", batchNorm({ momentum: 1 }));
  const backend = float64();
  await withTrainer(
    async (trainer) => {
      await trainer.initialize(key(1));
      const images = dataset.train;
      const before = await evaluate(trainer, images, { dataset });
      const options = { dataset, batch: images.count };
      const tensors = await trainer.read();
      const statistics = await recalibrate(backend, whole, tensors, images, options);
      const own = await evaluateWithBatchStatistics(backend, whole, tensors, images, options);
      await trainer.write(statistics ?? new Map());
      const after = await evaluate(trainer, images, { dataset });
      t.equal(own.count, images.count);
      // The running variance is the unbiased one: 1 + 1/935 times as large.
      const off = Math.abs(after.loss - own.loss);
      t.ok(off < 1e-3, `${after.loss} and ${own.loss}`);
      t.ok(Math.abs(before.loss - own.loss) > 1e-2, "it was another before");
    },
    { model, precision: "float64" },
  );
  await backend.dispose();
});

test("a last batch that is not full is filled up with real images, each counted once", async (t) => {
  const backend = float64();
  const model = tinyModel("tiny", groupNorm({ groups: 2 }));
  const tensors = tensorsOf(model);
  // Where statistics do not depend on the batch, batches of any size give the same.
  const losses: number[] = [];
  for (const batch of [3, 10]) {
    const options = { dataset, batch };
    const found = await evaluateWithBatchStatistics(backend, model, tensors, dataset.test, options);
    t.equal(found.count, 10);
    losses.push(found.loss);
  }
  const [three = 0, ten = 1] = losses;
  // Ten float64 terms in another order.
  t.ok(Math.abs(three - ten) < 1e-12, `${three} and ${ten}`);
  const signal = AbortSignal.abort();
  const options = { dataset, batch: 3, signal };
  const stopped = await evaluateWithBatchStatistics(backend, model, tensors, dataset.test, options);
  t.equal(stopped, undefined);
  await backend.dispose();
});

test("nothing is recalibrated where there is nothing to recalibrate", async (t) => {
  const backend = float64();
  t.equal(groupNorm({ groups: 2 }).calibration, undefined);
  t.equal(instanceNorm().calibration, undefined);
  t.ok(instanceNorm({ trackRunningStats: true }).calibration, "tracked statistics are");
  const message = async (model: Model, tensors: Map<string, HostTensor>, batches?: number) =>
    recalibrate(backend, model, tensors, dataset.train, {
      dataset,
      batch: 13,
      ...(batches === undefined ? {} : { batches }),
    }).then(
      () => "it ran",
      (error: Error) => error.message,
    );
  const plain = tinyModel("tiny", groupNorm({ groups: 2 }));
  t.match(await message(plain, tensorsOf(plain)), /tiny has no running statistics/);
  for (const norm of [batchNorm(), ghostBatchNorm({ virtualBatchSize: 13 }), batchRenorm()]) {
    const trained = tinyModel("tiny", norm);
    t.match(
      await message(trained, tensorsOf(trained)),
      /"bn1\.running_.*" of tiny keeps a share of its old value; build .* norm\.calibration\(\)/,
      norm.name,
    );
  }
  const whole = tinyModel("tiny", batchNorm({ momentum: 1 }));
  t.match(await message(whole, new Map()), /missing: .*conv1\.weight/);
  t.match(await message(whole, tensorsOf(whole), 3), /3 batches of 13 images are more than the 26/);
  t.match(await message(whole, tensorsOf(whole), 0.5), /batches is 0.5/);
  const ofBatch = (batch: number) =>
    recalibrate(backend, whole, tensorsOf(whole), dataset.train, { dataset, batch }).then(
      () => "it ran",
      (error: Error) => error.message,
    );
  t.match(await ofBatch(0), /recalibrate: batch is 0; give a whole number >= 1/);
  t.match(await ofBatch(27), /recalibrate: a batch of 27 images is more than the 26 that there/);
  await backend.dispose();
});

test("where batches are scored by their own statistics nothing is dropped", async (t) => {
  const backend = float64();
  const model = (rate: number): Model => ({
    ...bare(batchNorm()),
    logits: (scope, images) => {
      const pooled = globalAveragePool(batchNorm().layer(scope, "bn", images));
      return dense(scope, "fc", dropout(scope, "dropout", pooled, rate), { units: 3 });
    },
  });
  const options = { dataset, batch: 5, key: key(2) };
  const [dropping, plain] = await Promise.all(
    [0.5, 0].map((rate) =>
      evaluateWithBatchStatistics(
        backend,
        model(rate),
        tensorsOf(model(rate)),
        dataset.test,
        options,
      ),
    ),
  );
  t.ok(Number.isFinite(plain?.loss), `${plain?.loss}`);
  t.deepEqual(dropping, plain);
  await backend.dispose();
});

test("each batch draws anew, from keys that are not another's", async (t) => {
  const backend = float64();
  const keys: string[] = [];
  const whole = bare(batchNorm({ momentum: 1 }));
  const model: Model = {
    ...whole,
    logits(scope, images) {
      const zero = scope.drawn("zero", [1], "float32", (from) => {
        keys.push(String(from));
        return [0];
      });
      return whole.logits(scope, add(images, zero));
    },
  };
  const options = { dataset, batch: 5, key: key(2) };
  await evaluateWithBatchStatistics(backend, model, tensorsOf(model), dataset.test, options);
  t.equal(keys.length, 2, "evaluation");
  await recalibrate(backend, model, tensorsOf(model), dataset.test, { ...options, key: key(3) });
  t.deepEqual([keys.length, new Set(keys).size], [4, 4], "recalibration");
  await backend.dispose();
});

test("labels beyond a byte are scored as they are", async (t) => {
  const backend = float64();
  const model = bare(instanceNorm(), 1000);
  const tensors = tensorsOf(model);
  const options = { dataset, batch: 5 };
  const lossOf = async (label: number) => {
    const split = { ...dataset.test, labels: new Uint16Array(10).fill(label) };
    return (await evaluateWithBatchStatistics(backend, model, tensors, split, options)).loss;
  };
  t.notEqual(await lossOf(999), await lossOf(999 % 256));
  await backend.dispose();
});

test("labels that the model has no class for are refused before anything is scored", async (t) => {
  const backend = float64();
  const model = bare(batchNorm());
  const split = { ...dataset.test, labels: Int32Array.from(dataset.test.labels, (i) => i + 1) };
  const expected = /image 2 has label 3, but bare has 3 classes/;
  const message = (error: Error) => error.message;
  const options = { dataset, batch: 5 };
  const own = await evaluateWithBatchStatistics(
    backend,
    model,
    tensorsOf(model),
    split,
    options,
  ).catch(message);
  t.match(String(own), expected);
  await withTrainer(
    async (trainer) =>
      t.match(String(await evaluate(trainer, split, { dataset }).catch(message)), expected),
    { model },
  );
  await backend.dispose();
});
