// fewnorm as a peer: speaks the protocol like the others, in a process of its own.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Backend } from "@fewnorm/backend";
import type { Model } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { parseBackend, parseModel, parseNorm } from "@fewnorm/presets";
import { elementsOf, type HostValue, key as keyOf, sizeOf } from "@fewnorm/tensor";
import {
  createTrainer,
  type HostTensor,
  initializeStates,
  sgd,
  traceEvaluation,
} from "@fewnorm/train";
import { layer, tracePiece } from "../normalized-piece.ts";
import { classes, inputShape, type JobFile } from "./job.ts";
import type { Greeting, Request } from "./peer-process.ts";

const job: JobFile = JSON.parse(readFileSync(String(process.argv[2]), "utf8"));
const { buffer, byteOffset } = Uint8Array.from(readFileSync(job.values));
const tensors = new Map<string, HostTensor>(
  job.tensors.map(({ name, shape, offset }) => [
    name,
    { shape, values: new Float32Array(buffer, byteOffset + 4 * offset, sizeOf(shape)) },
  ]),
);

type Preparation = Extract<Request, { do: "prepare" }>;

interface Network {
  logits(): Promise<ArrayLike<number>>;
  /** Comes before each step; not timed. */
  ready?(): Promise<unknown>;
  step(learningRate: number): Promise<unknown>;
}

async function prepare({ work, batch }: Preparation): Promise<Network> {
  const backend = await parseBackend(job.backend)({ threads: job.threads });
  const norm = parseNorm(job.norm);
  if (work === "layer") return prepareLayer(backend, norm);
  const model = parseModel(job.model ?? "")({ norm, classes, inputShape });
  const images = firstRows("images", batch, inputShape);
  if (work === "inference") return prepareInference(backend, model, images, batch);
  const optimizer = sgd({ momentum: job.momentum, weightDecay: job.weightDecay });
  const trainer = await createTrainer(backend, model, { batch, optimizer });
  const own = new Set(trainer.states.map(({ name }) => name));
  await trainer.write(new Map([...tensors].filter(([name]) => own.has(name))));
  const labels = Int32Array.from(firstRows("labels", batch, []));
  return {
    logits: () => trainer.logits(images),
    step: (learningRate) => trainer.step({ images, labels, learningRate, key: keyOf(0) }),
  };
}

/** Without a training step, whose plan would take time and memory. */
async function prepareInference(
  backend: Backend,
  model: Model,
  images: Float32Array,
  batch: number,
) {
  const { graph, states } = traceEvaluation(model, { batch });
  const state = await backend.createState(states);
  for (const { name } of states) await state.write(name, tensors.get(name)?.values ?? []);
  const executable = await backend.compile(graph, state);
  const logits = async () => {
    const { logits } = await executable.run({ images });
    return elementsOf("logits", logits as HostValue, [batch, classes]);
  };
  return { logits, step: logits };
}

/** Its results are the first element of y, of the input's gradient, and of γ's and β's, which are divided by √(N·H·W). */
async function prepareLayer(backend: Backend, norm: Norm): Promise<Network> {
  const [n = 1, c = 1, ...map] = tensors.get("images")?.shape ?? [];
  const shape = [n, c, ...map];
  const { graph, before, states } = tracePiece(layer, norm, shape, "both", job.backend);
  const state = await backend.createState(states);
  const given: Readonly<Record<string, string>> = {
    ...{ x: "images", "norm.weight": "weight", "norm.bias": "bias" },
    // In place, g is written over, from what is given.
    ...{ g: "gradient", given: "gradient" },
  };
  for (const [name, initial] of initializeStates(states, keyOf(0))) {
    // A shape stands behind x and the given gradient.
    const [own = ""] = name.split(" ");
    await state.write(name, tensors.get(given[own] ?? "")?.values ?? initial);
  }
  const executable = await backend.compile(graph, state);
  const preparation = before && (await backend.compile(before, state));
  const ready = async () => preparation?.run();
  const run = () => executable.run();
  const logits = async () => {
    await ready();
    const fetches = await run();
    const first = (name: string) => Number(elementsOf(name, fetches[name] as HostValue, [])[0]);
    const root = Math.sqrt(sizeOf(shape) / c);
    const [dx, gamma, beta] = [0, 1, 2].map((i) => first(`gradient ${i}`)) as [
      number,
      number,
      number,
    ];
    return [first("y"), dx, gamma / root, beta / root];
  };
  return { logits, ready, step: run };
}

function firstRows(name: string, batch: number, row: readonly number[]): Float32Array {
  const values = tensors.get(name)?.values ?? new Float32Array();
  return values.slice(0, batch * sizeOf(row));
}

let network: Network | undefined;

async function answer(request: Request): Promise<Record<string, unknown>> {
  if (request.do === "prepare") {
    network = await prepare(request);
    return {};
  }
  if (network === undefined) throw new Error(`${request.do}: nothing is prepared`);
  if (request.do === "logits") return { logits: Array.from(await network.logits()) };
  await network.ready?.();
  const began = performance.now();
  await network.step(request.learningRate);
  return { milliseconds: performance.now() - began };
}

const write = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Names the GPU. A backend that can't be had says so when a network is asked for. */
async function settingOf({ backend, device }: JobFile): Promise<string> {
  if (device === "cpu") return backend;
  try {
    const made = await parseBackend(backend)();
    await made.dispose();
    return made.description;
  } catch {
    return backend;
  }
}

const settings = [await settingOf(job)];
const greeting: Greeting = {
  name: "fewnorm",
  works: { training: { settings }, inference: { settings }, layer: { settings } },
};
write(greeting);
for await (const line of createInterface({ input: process.stdin })) {
  write(await answer(JSON.parse(line)).catch(({ message }: Error) => ({ error: message })));
}
process.exit(0);
