// The traced graphs: what they are fed, what they give, and that they agree with each other.
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { drawAll, type Model } from "@fewnorm/nn";
import { elementsOf, type HostValue, key, normal } from "@fewnorm/tensor";
import {
  createTrainer,
  initializeStates,
  sgd,
  traceEvaluation,
  traceGradients,
  traceTraining,
} from "@fewnorm/train";
import test from "tape";
import { tinyModel } from "./tiny.ts";

const images = Float32Array.from(normal(key(5), 4 * 36));
const labels = [0, 1, 2, 1];

test("traceTraining declares states in order, the optimizer's last", (t) => {
  const { graph, states, draws } = traceTraining(tinyModel(), { batch: 4, optimizer: sgd() });
  const names = states.map(({ name }) => name);
  const parameters = states.filter(({ kind }) => kind === "parameter").map(({ name }) => name);
  t.deepEqual(
    names.slice(0, 9).sort(),
    [
      "bn1.bias",
      "bn1.running_mean",
      "bn1.running_var",
      "bn1.weight",
      "conv1.weight",
      "conv2.bias",
      "conv2.weight",
      "fc.bias",
      "fc.weight",
    ],
    "PyTorch's names",
  );
  t.deepEqual(
    names.slice(9),
    parameters.map((name) => `${name}.momentum`),
  );
  t.deepEqual(Object.keys(graph.updates).sort(), [...names].sort(), "every state is updated");
  t.deepEqual(Object.keys(graph.outputs).sort(), ["logits", "loss"]);
  const fed = ["images", "labels", "learningRate", ...draws.map(({ name }) => name)];
  t.deepEqual(Object.keys(graph.inputs).sort(), fed.sort());
  t.ok(
    graph.nodes.some(({ label }) => label === "sgd"),
    "the optimizer's nodes are labelled",
  );
  t.end();
});

test("traceEvaluation reads running statistics and changes nothing", (t) => {
  const { graph, draws } = traceEvaluation(tinyModel(), { batch: 7 });
  t.deepEqual(graph.updates, {});
  t.deepEqual(Object.keys(graph.inputs), ["images"]);
  t.equal(draws.length, 0);
  t.ok("bn1.running_mean" in graph.states);
  t.end();
});

test("a training step of plain SGD moves parameters by the gradients of traceGradients", async (t) => {
  const model = tinyModel();
  const { graph, states, draws } = traceGradients(model, { batch: 4 });
  const backend = createReferenceBackend({ precision: "float64" });
  const state = await backend.createState(states);
  for (const [name, values] of initializeStates(states, key(1))) await state.write(name, values);
  const gradients = await backend.compile(graph, state);
  const fetches = await gradients.run({ images, labels, ...drawAll(draws, key(9)) });

  const optimizer = sgd({ momentum: 0, weightDecay: 0 });
  const trainer = await createTrainer(backend, model, { batch: 4, optimizer });
  await trainer.initialize(key(1));
  const before = await trainer.read();
  const { loss } = await trainer.step({ images, labels, learningRate: 1, key: key(9) });
  const after = await trainer.read();
  t.equal(loss, elementsOf("loss", fetches.loss as HostValue, [])[0]);
  for (const { name, shape } of states.filter(({ kind }) => kind === "parameter")) {
    const gradient = elementsOf(name, fetches[`grad:${name}`] as HostValue, shape);
    const [old, now] = [before.get(name)?.values ?? [], after.get(name)?.values ?? []];
    const largest = Math.max(
      ...Array.from(gradient, (g, i) => Math.abs(g - ((old[i] as number) - (now[i] as number)))),
    );
    // The parameters are read as float32, of size 1: 2^-24 each.
    t.ok(largest < 2e-7, `${name}: ${largest}`);
  }
  await backend.dispose();
});

test("initializeStates gives a name the same values whatever stands around it", (t) => {
  const { states } = traceTraining(tinyModel(), { batch: 4, optimizer: sgd() });
  const all = initializeStates(states, key(1));
  const alone = states.filter(({ name }) => name === "conv2.weight");
  t.deepEqual(initializeStates(alone, key(1)).get("conv2.weight"), all.get("conv2.weight"));
  t.notDeepEqual(initializeStates(alone, key(2)).get("conv2.weight"), all.get("conv2.weight"));
  t.notDeepEqual(all.get("conv1.weight")?.slice(0, 4), all.get("conv2.weight")?.slice(0, 4));
  t.end();
});

test("tracing refuses batches and models that cannot work", (t) => {
  const wrong: Model = { ...tinyModel(), classes: 5 };
  t.throws(() => traceEvaluation(tinyModel(), { batch: 0 }), /batch is 0/);
  t.throws(() => traceEvaluation(wrong, { batch: 2 }), /logits \[2, 3\]; they must be \[2, 5\]/);
  t.throws(() => traceTraining(tinyModel(), { batch: 1, optimizer: sgd() }), /bs:2/);
  const forgetful = { ...sgd(), name: "forgetful", slots: () => [], step: () => [] };
  t.throws(
    () => traceTraining(tinyModel(), { batch: 4, optimizer: forgetful }),
    /^RangeError: optimizer: forgetful gave next values of 0 parameters out of 7; return one for each/,
  );
  t.end();
});
