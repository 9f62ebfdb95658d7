// jax-js on its WebAssembly backend. A reference is consumed by what it is given to; `.ref` makes another.

import { firstImages, loadPackage, readJob, serve } from "./protocol.mjs";
import { blocksOf } from "./resnet-blocks.mjs";
import { WebWorker } from "./web-worker.mjs";

const job = readJob();
// As in a browser, whose workers jax-js takes for threads.
globalThis.Worker = WebWorker;
const navigator = { hardwareConcurrency: job.threads };
Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
const { module: jax, version } = await loadPackage(job, "@jax-js/jax");
const { numpy: np, lax, nn, tree } = jax;
const { tensors } = job;
const blocks = blocksOf(tensors);

/** images → logits. `norm(name, y)` normalizes. Consumes the parameters and the images. */
function forward(parameters, images, norm) {
  const unit = (x, conv, name, stride) => {
    const weight = parameters[`${conv}.weight`];
    const padding = [
      [1, 1],
      [1, 1],
    ];
    return norm(name, lax.convGeneralDilated(x, weight, [stride, stride], padding));
  };
  let x = nn.relu(unit(images, "conv1", "bn1", 1));
  for (const block of blocks) {
    const { path, stride } = block;
    const shortcut = shortcutOf(x.ref, block);
    const inner = nn.relu(unit(x, `${path}.conv1`, `${path}.bn1`, stride));
    x = nn.relu(unit(inner, `${path}.conv2`, `${path}.bn2`, 1).add(shortcut));
  }
  const pooled = np.mean(x, [2, 3]);
  return np.dot(pooled, parameters["fc.weight"].transpose()).add(parameters["fc.bias"]);
}

/** Every stride-th pixel, with zero channels half in front and half behind. */
function shortcutOf(x, { stride, added }) {
  if (added === 0) return x;
  const [n, c, h, w] = x.shape;
  const cells = x.reshape([n, c, h / stride, stride, w / stride, stride]);
  const before = Math.floor(added / 2);
  return np.pad(cells.slice([], [], [], 0, [], 0), [
    [0, 0],
    [before, added - before],
    [0, 0],
    [0, 0],
  ]);
}

/** (y − mean) / √(variance + ε) · γ + β; mean and variance are [1, C, 1, 1]. */
function normalize(parameters, name, y, mean, variance) {
  const [gamma, beta] = ["weight", "bias"].map((one) => column(parameters[`${name}.${one}`]));
  const scale = gamma.div(np.sqrt(variance.add(1e-5)));
  return y.sub(mean).mul(scale).add(beta);
}

const column = (vector) => vector.reshape([1, vector.shape[0], 1, 1]);

/** With the running statistics, which it consumes. */
const evaluate = (parameters, running, images) =>
  forward(parameters, images, (name, y) => {
    const [mean, variance] = ["mean", "var"].map((one) =>
      column(running[`${name}.running_${one}`]),
    );
    return normalize(parameters, name, y, mean, variance);
  });

/** → [loss, new running statistics]. */
function loss(parameters, running, images, labels) {
  const next = {};
  const logits = forward(parameters, images, (name, y) => {
    const mean = np.mean(y.ref, [0, 2, 3], { keepdims: true });
    const variance = np.mean(np.square(y.ref.sub(mean.ref)), [0, 2, 3], { keepdims: true });
    const count = y.size / y.shape[1];
    const move = (key, value) => {
      next[key] = running[key].mul(0.9).add(value.reshape([y.shape[1]]).mul(0.1));
    };
    move(`${name}.running_mean`, mean.ref);
    move(`${name}.running_var`, variance.ref.mul(count / (count - 1)));
    return normalize(parameters, name, y, mean, variance);
  });
  const chosen = nn.logSoftmax(logits).mul(labels);
  return [np.sum(chosen).mul(-1 / chosen.shape[0]), next];
}

function trainStep(parameters, running, velocities, images, labels, learningRate) {
  const shared = tree.map((x) => x.ref, parameters);
  const [[value, statistics], gradients] = jax.valueAndGrad(loss, { hasAux: true })(
    shared,
    running,
    images,
    labels,
  );
  const next = { parameters: {}, velocities: {} };
  for (const [name, parameter] of Object.entries(parameters)) {
    const gradient = gradients[name].add(parameter.ref.mul(job.weightDecay));
    const velocity = velocities[name].mul(job.momentum).add(gradient);
    next.velocities[name] = velocity.ref;
    next.parameters[name] = parameter.sub(velocity.mul(learningRate.ref));
  }
  learningRate.dispose();
  return { ...next, running: statistics, value };
}

async function prepare({ work, batch }) {
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const arrayOf = ({ shape, values }) => np.array(values.slice()).reshape(shape);
  const { labels: numbers, ...pixels } = firstImages(job, batch);
  const images = arrayOf(pixels);
  const labels = nn.oneHot(np.array(numbers, { dtype: np.int32 }), tensors.get("fc.bias").shape[0]);
  let [parameters, running, velocities] = [{}, {}, {}];
  for (const [name, tensor] of tensors) {
    if (name === "images" || name === "labels") continue;
    if (name.includes(".running_")) running[name] = arrayOf(tensor);
    else {
      parameters[name] = arrayOf(tensor);
      velocities[name] = np.zeros(tensor.shape);
    }
  }
  const refs = (arrays) => tree.map((x) => x.ref, arrays);
  const inference = jax.jit(evaluate);
  const training = jax.jit(trainStep);
  const logits = async () => {
    const result = inference(refs(parameters), refs(running), images.ref);
    return await result.data();
  };
  const step = async (learningRate) => {
    const rate = np.array(learningRate);
    const next = training(parameters, running, velocities, images.ref, labels.ref, rate);
    ({ parameters, running, velocities } = next);
    await jax.blockUntilReady([parameters, running]);
    return await next.value.data();
  };
  return { logits, step: work === "inference" ? logits : step };
}

const ability = { settings: ["wasm"], batch: 8 };
await serve({
  name: `jax-js ${version}`,
  works: job.norm === "bn" ? { training: ability, inference: ability } : {},
  prepare,
});
