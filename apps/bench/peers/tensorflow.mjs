// TensorFlow.js: inference on its wasm backend, which has no gradients of convolutions; training on its cpu backend,
// which is plain JavaScript. Node gets one thread of either.

import { firstImages, loadPackage, readJob, serve } from "./protocol.mjs";
import { blocksOf } from "./resnet-blocks.mjs";

const job = readJob();
const install = "@tensorflow/tfjs @tensorflow/tfjs-backend-wasm";
const { module: tf, version } = await loadPackage(job, "@tensorflow/tfjs", install);
await loadPackage(job, "@tensorflow/tfjs-backend-wasm", install);
const { tensors } = job;

const works = {
  training: { settings: ["cpu, 1 thread"], batch: 1 },
  inference: { settings: ["wasm, 1 thread"] },
};

/** images → logits, NHWC. `unit(x, conv, norm, stride, finish)` is a convolution, its norm, and what comes after. */
function forward(images, unit, { weight, bias }) {
  const relu = (x) => tf.relu(x);
  let x = unit(images, "conv1", "bn1", 1, relu);
  for (const { path, stride, added } of blocksOf(tensors)) {
    // Every stride-th pixel: there is no gradient of tf.stridedSlice.
    let shortcut = stride === 1 ? x : tf.avgPool(x, 1, stride, "valid");
    const before = Math.floor(added / 2);
    if (added > 0)
      shortcut = tf.pad(shortcut, [
        [0, 0],
        [0, 0],
        [0, 0],
        [before, added - before],
      ]);
    const inner = unit(x, `${path}.conv1`, `${path}.bn1`, stride, relu);
    const add = (y) => tf.relu(tf.add(y, shortcut));
    x = unit(inner, `${path}.conv2`, `${path}.bn2`, 1, add);
  }
  return tf.add(tf.matMul(tf.mean(x, [1, 2]), weight, false, true), bias);
}

/** OIHW as HWIO; anything else as it is. */
function tensorOf({ shape, values }) {
  const tensor = tf.tensor(values, shape);
  return shape.length === 4 ? tf.transpose(tensor, [2, 3, 1, 0]) : tensor;
}

/** Norms are folded into the weights once, and ReLU into the convolutions where nothing comes between. */
function prepareInference(images) {
  const folded = new Map();
  const fold = (conv, norm) => {
    const part = (name) => tensorOf(tensors.get(`${norm}.${name}`));
    const scale = tf.div(part("weight"), tf.sqrt(tf.add(part("running_var"), 1e-5)));
    const bias = tf.sub(part("bias"), tf.mul(part("running_mean"), scale));
    folded.set(conv, { filter: tf.mul(tensorOf(tensors.get(`${conv}.weight`)), scale), bias });
  };
  fold("conv1", "bn1");
  for (const { path } of blocksOf(tensors)) {
    for (const i of [1, 2]) fold(`${path}.conv${i}`, `${path}.bn${i}`);
  }
  const head = {
    weight: tensorOf(tensors.get("fc.weight")),
    bias: tensorOf(tensors.get("fc.bias")),
  };
  const unit = (x, conv, _, strides, finish) => {
    const activation = conv.endsWith("conv2") ? "linear" : "relu";
    const y = tf.fused.conv2d({ x, ...folded.get(conv), strides, pad: 1, activation });
    return activation === "relu" ? y : finish(y);
  };
  const logits = async () => {
    const result = tf.tidy(() => forward(images, unit, head));
    const values = await result.data();
    result.dispose();
    return values;
  };
  return { step: logits, logits };
}

function prepareTraining(images, labels) {
  const { momentum, weightDecay } = job;
  const variables = new Map();
  for (const [name, tensor] of tensors) {
    if (name !== "images" && name !== "labels") {
      variables.set(name, tf.variable(tensorOf(tensor), !name.includes(".running_"), name));
    }
  }
  const head = { weight: variables.get("fc.weight"), bias: variables.get("fc.bias") };
  const velocities = new Map();
  const oneHot = tf.oneHot(tf.tensor1d(labels, "int32"), head.bias.shape[0]);

  /** `statistics(norm, y)` are the mean and variance to normalize with. */
  const logitsWith = (statistics) =>
    forward(
      images,
      (x, conv, norm, stride, finish) => {
        const y = tf.conv2d(x, variables.get(`${conv}.weight`), stride, 1);
        const { mean, variance } = statistics(norm, y);
        const [offset, scale] = ["bias", "weight"].map((one) => variables.get(`${norm}.${one}`));
        return finish(tf.batchNorm(y, mean, variance, offset, scale, 1e-5));
      },
      head,
    );

  const running = (norm) => ({
    mean: variables.get(`${norm}.running_mean`),
    variance: variables.get(`${norm}.running_var`),
  });

  function loss() {
    const logits = logitsWith((norm, y) => {
      const { mean, variance } = tf.moments(y, [0, 1, 2]);
      const count = y.size / mean.size;
      const old = running(norm);
      const move = (variable, value) =>
        variable.assign(tf.add(tf.mul(variable, 0.9), tf.mul(value, 0.1)));
      move(old.mean, mean);
      move(old.variance, tf.mul(variance, count / (count - 1)));
      return { mean, variance };
    });
    return tf.losses.softmaxCrossEntropy(oneHot, logits);
  }

  function step(learningRate) {
    return tf.tidy(() => {
      const { value, grads } = tf.variableGrads(loss);
      for (const [name, gradient] of Object.entries(grads)) {
        const variable = variables.get(name);
        const decayed = tf.add(gradient, tf.mul(variable, weightDecay));
        const velocity = velocities.get(name) ?? tf.variable(tf.zerosLike(variable), false);
        velocities.set(name, velocity);
        velocity.assign(tf.add(tf.mul(velocity, momentum), decayed));
        variable.assign(tf.sub(variable, tf.mul(velocity, learningRate)));
      }
      return value.dataSync()[0];
    });
  }

  return {
    step: async (learningRate) => step(learningRate),
    logits: async () => tf.tidy(() => logitsWith(running).dataSync()),
  };
}

await serve({
  name: `TensorFlow.js ${version}`,
  works: job.norm === "bn" ? works : {},
  async prepare({ work, batch }) {
    await tf.setBackend(work === "training" ? "cpu" : "wasm");
    await tf.ready();
    const { shape, values, labels } = firstImages(job, batch);
    const images = tf.transpose(tf.tensor(values, shape), [0, 2, 3, 1]);
    return work === "training" ? prepareTraining(images, labels) : prepareInference(images);
  },
});
