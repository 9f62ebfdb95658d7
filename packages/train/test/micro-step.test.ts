// Steps in micro-batches beyond the equality of gradients: statistics of their own, draws, failures, and the loop's view.
import type { Backend } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { conv2d, dense, globalAveragePool, type Model } from "@fewnorm/nn";
import {
  batchNorm,
  batchRenorm,
  type GradientMode,
  ghostBatchNorm,
  groupNorm,
  type Norm,
} from "@fewnorm/norm";
import { type Extent, mixture, type Sampling, type Strategy } from "@fewnorm/sampling";
import { batchSampling } from "@fewnorm/sampling-batch";
import { featureSampling } from "@fewnorm/sampling-feature";
import { virtualDataset } from "@fewnorm/sampling-virtual";
import { key, normal, sizeOf } from "@fewnorm/tensor";
import { createTrainer, mixup, sgd, traceMicroTraining } from "@fewnorm/train";
import test from "tape";
import { difference, type Found, found, foundBy } from "./gradients.ts";
import { residualModel, tinyModel } from "./tiny.ts";

const batch = 12;
const images = Float32Array.from(normal(key(5), batch * 36));
const labels = Array.from({ length: batch }, (_, i) => (i * i) % 3);
const feeds = { images, labels, key: key(9) };
const float64 = () => createReferenceBackend({ precision: "float64" });
const normOf = (sampling: Sampling, gradient: GradientMode = "exact") =>
  batchNorm({ sampling, gradient });
const both = mixture([
  { strategy: virtualDataset({ images: 2 }) },
  { strategy: batchSampling({ images: 3 }) },
]);

/** The part of a step's findings that an optimizer sees. */
const gradientsOf = (of: Found): Found => ({
  ...of,
  states: Object.fromEntries(
    Object.entries(of.states).filter(([name]) => name.endsWith(".gradient")),
  ),
});

const own = new Map<string, Norm>([
  ["bn", batchNorm()],
  ["ghost:2", ghostBatchNorm({ virtualBatchSize: 2 })],
  ["brn", batchRenorm({ warmUp: 1, rSteps: 8, dSteps: 8 })],
]);

for (const [name, norm] of own) {
  test(`${name}: each micro-batch has statistics of its own, as if gradients were accumulated by hand`, async (t) => {
    const backend = float64();
    const model = tinyModel("tiny", norm);
    const parts = [0, 4, 8].map((from) => ({
      images: images.subarray(from * 36, (from + 4) * 36),
      labels: labels.slice(from, from + 4),
      key: key(0),
    }));
    const alone = await foundBy(backend, model, { batch: 4 }, parts);
    const split = await found(backend, model, { batch, micro: 4 }, feeds);
    const last = alone[2] as Found;
    const byHand: Found = {
      loss: alone.reduce((sum, { loss }) => sum + loss / 3, 0),
      logits: alone.flatMap(({ logits }) => logits),
      states: Object.fromEntries(
        Object.entries(last.states).map(([state, values]) => [
          state,
          state.endsWith(".gradient")
            ? values.map((_, i) =>
                alone.reduce((sum, one) => sum + (one.states[state]?.[i] ?? 0) / 3, 0),
              )
            : values,
        ]),
      ),
    };
    // Rounding of float64, and of a few sums.
    const largest = difference(split, byHand);
    t.ok(largest < 1e-12, `${largest}`);
    await backend.dispose();
  });
}

test("a normalization in front of its convolution has shared statistics, too", async (t) => {
  const backend = float64();
  const fixed: Strategy = {
    ...batchSampling({ images: 3 }),
    origin: () => ({ row: 10, top: 0, left: 0 }),
  };
  const norm = normOf(mixture([{ strategy: virtualDataset({ images: 2 }) }, { strategy: fixed }]));
  const model: Model = {
    ...tinyModel("pre-activation", norm),
    logits(scope, images) {
      const spec = { channels: 4, kernel: 3, padding: 1 };
      const x = conv2d(scope, "conv1", norm.layer(scope, "bn1", images), spec);
      const y = conv2d(scope, "conv2", norm.layer(scope, "bn2", x, { relu: true }), spec);
      return dense(scope, "fc", globalAveragePool(y), { units: 3 });
    },
  };
  const whole = await found(backend, model, { batch }, feeds);
  const split = await found(backend, model, { batch, micro: 4 }, feeds);
  // Rounding of float64, and of a few sums.
  const largest = difference(split, whole);
  t.ok(largest < 1e-12, `${largest}`);
  await backend.dispose();
});

test("the exact gradient of a split step is the derivative of its loss", async (t) => {
  const backend = float64();
  const model = residualModel(normOf(both));
  const options = { batch, micro: 2 };
  const at = (distance: number) =>
    found(backend, model, options, feeds, async (state) => {
      for (const [i, { name, shape }] of state.specs.entries()) {
        if (!/(weight|bias)$/.test(name) || name.startsWith("micro.")) continue;
        const direction = normal(key(50 + i), sizeOf(shape));
        const values = (await state.read(name)).data;
        await state.write(
          name,
          Array.from(direction, (d, k) => (values[k] ?? 0) + distance * d),
        );
      }
    });
  const here = await at(0);
  const specs = Object.keys(here.states);
  const h = 1e-6;
  const [after, before] = [await at(h), await at(-h)];
  let slope = 0;
  for (const [i, name] of specs.entries()) {
    const gradient = here.states[`${name}.gradient`] ?? [];
    const direction = normal(key(50 + i), gradient.length);
    gradient.forEach((g, k) => {
      slope += g * (direction[k] as number);
    });
  }
  const measured = (after.loss - before.loss) / (2 * h);
  // Central differences: 1e-16/h of rounding, h² of curvature; and no ReLU input happens to be within h of 0.
  t.ok(Math.abs(slope - measured) < 1e-7 * Math.max(1, Math.abs(slope)), `${slope}, ${measured}`);

  const detached = await found(backend, residualModel(normOf(both, "detached")), options, feeds);
  t.ok(difference(gradientsOf(detached), gradientsOf(here)) > 0.01, "detached is another");
  t.equal(detached.loss, here.loss, "forward they are the same");
  await backend.dispose();
});

test("a sample is drawn anew from each step's key, and steps leave nothing behind", async (t) => {
  const backend = float64();
  const model = residualModel(normOf(both));
  const options = { batch, micro: 4 };
  const steps = [feeds, { ...feeds, key: key(10) }, feeds];
  const [first, other, again] = await foundBy(backend, model, options, steps);
  t.equal(difference(gradientsOf(again as Found), gradientsOf(first as Found)), 0);
  t.notEqual(other?.loss, first?.loss);
  await backend.dispose();
});

test("a step that fails halfway leaves nothing to the next", async (t) => {
  const backend = float64();
  let runs = 0;
  const failing: Backend = {
    ...backend,
    async compile(graph, state) {
      const executable = await backend.compile(graph, state);
      return {
        ...executable,
        run(given) {
          runs++;
          return runs === 3 ? Promise.reject(new Error("lost")) : executable.run(given);
        },
      };
    },
  };
  const trainer = await createTrainer(failing, tinyModel("tiny", groupNorm({ groups: 2 })), {
    batch,
    micro: 4,
    optimizer: sgd({ momentum: 0, weightDecay: 0 }),
  });
  await trainer.initialize(key(1));
  const step = { ...feeds, learningRate: 0.1 };
  const before = await trainer.read();
  const bad = labels.with(11, 3);
  const refused = trainer.step({ ...step, labels: bad }).catch((error: Error) => error.message);
  t.match(String(await refused), /label 3 at 11 of input "labels"/);
  t.equal(runs, 0, "labels are checked before anything runs");
  t.match(String(await trainer.step(step).catch((error: Error) => error.message)), /lost/);
  t.deepEqual(await trainer.read(), before, "parameters are as before");
  await trainer.step(step);
  const after = await trainer.read();
  await trainer.initialize(key(1));
  // Started together, steps come one after the other.
  await trainer.step(step);
  t.deepEqual(after, await trainer.read());
  await backend.dispose();
});

test("virtual images are shared, also where a strategy says that it takes all rows there are", (t) => {
  const known = virtualDataset({ images: 3 });
  const [expected, found] = [known, { ...known, extent: (maps: Extent) => maps }].map((strategy) =>
    JSON.stringify(
      traceMicroTraining(tinyModel("tiny", normOf(strategy)), {
        batch,
        micro: 4,
        optimizer: sgd(),
      }),
    ),
  );
  t.equal(found, expected);
  t.end();
});

test("micro-batches that cannot work are refused when the step is traced", (t) => {
  const refuses = (norm: Norm, options: object, expected: RegExp) =>
    t.throws(
      () =>
        traceMicroTraining(tinyModel("tiny", norm), {
          batch,
          micro: 4,
          optimizer: sgd(),
          ...options,
        }),
      expected,
    );
  const gn = groupNorm({ groups: 2 });
  refuses(gn, { micro: 5 }, /micro-batches of 5 do not divide the batch of 12; .* such as 4/);
  refuses(gn, { micro: 24 }, /micro-batches of 24 do not divide the batch of 12; .* such as 12/);
  refuses(gn, { micro: 0 }, /micro is 0/);
  refuses(gn, { micro: 1, objective: mixup() }, /batch of 1 image .* micro-batches of 2 or more/);
  const bs = batchSampling({ images: 2 });
  // Beside the sample there are 10 images, three micro-batches of 3 and one of 1.
  refuses(normOf(bs), { micro: 3, objective: mixup() }, /micro-batches .* no single image over/);
  refuses(normOf(bs, "sampled"), {}, /bs:2@sampled needs .* use exact or detached/);
  refuses(normOf(batchSampling({ images: 12 })), {}, /"bn1": bs:12 samples all 12 images/);
  const patch = featureSampling({ height: 2, width: 2 });
  refuses(normOf(mixture([{ strategy: bs }, { strategy: patch }])), {}, /every image as well/);
  refuses(normOf(mixture([{ strategy: bs }, { strategy: bs }])), {}, /twice, by bs:2 and bs:2/);
  refuses(ghostBatchNorm({ virtualBatchSize: 3 }), {}, /batch of 4 does not divide/);
  const vectors = (norm: Norm): Model => ({
    ...tinyModel("vectors", norm),
    logits: (scope, images) =>
      norm.dense(scope, { linear: "fc", norm: "bn" }, globalAveragePool(images), { units: 3 }),
  });
  const single = { batch, micro: 1, optimizer: sgd() };
  t.throws(
    () => traceMicroTraining(vectors(batchNorm()), single),
    /^RangeError: norm: layer "bn", of a micro-batch: bn: the sample is 1 image/,
  );
  t.end();
});

test("patches are those of one micro-batch", (t) => {
  const norm = normOf(featureSampling({ height: 2, width: 2 }));
  const options = { batch, micro: 4, optimizer: sgd() };
  const { statistics, sampled, micro } = traceMicroTraining(tinyModel("tiny", norm), options);
  t.equal(statistics, undefined);
  t.equal(sampled.images, 0);
  t.deepEqual(
    micro.map(({ images: count, count: times }) => [count, times]),
    [[4, 3]],
  );
  t.end();
});

test("patches are drawn anew for every micro-batch and step", async (t) => {
  const keys: string[] = [];
  const patch = featureSampling({ height: 2, width: 2 });
  const watched: Strategy = {
    ...patch,
    origin(extent, shape, from) {
      keys.push(String(from));
      return patch.origin(extent, shape, from);
    },
  };
  const backend = float64();
  const model = tinyModel("tiny", normOf(watched));
  await foundBy(backend, model, { batch, micro: 4 }, [feeds, { ...feeds, key: key(10) }, feeds]);
  t.equal(keys.length, 9, "3 steps of 3 micro-batches");
  t.equal(new Set(keys.slice(0, 6)).size, 6, "none like another");
  t.deepEqual(keys.slice(6), keys.slice(0, 3), "but for the same step");
  await backend.dispose();
});

test("the images that are sampled do not run a second time", (t) => {
  const options = { batch, micro: 4, optimizer: sgd() };
  const { sampled, micro } = traceMicroTraining(residualModel(normOf(both)), options);
  t.equal(sampled.images, 3);
  t.deepEqual(
    micro.map(({ images: count, count: times }) => [count, times]),
    [
      [4, 2],
      [1, 1],
    ],
  );
  t.end();
});
