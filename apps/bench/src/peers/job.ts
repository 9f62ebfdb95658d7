// What every peer is given: the network's parameters, images and labels, in a folder of their own.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseModel, parseNorm } from "@fewnorm/presets";
import { foldIn, type Key, normal, randomBits, type Shape, sizeOf } from "@fewnorm/tensor";
import { initializeStates, sgd, traceTraining } from "@fewnorm/train";

/** The images are random, and of CIFAR's size: what a peer is known for was measured with such. */
export const inputShape = [3, 32, 32] as const;
export const classes = 10;

/** The optimizer of every peer. */
const optimization = { momentum: 0.9, weightDecay: 5e-4 } as const;

/** A network and the most images that a peer is asked for, or the shape [N, C, H, W] of a normalization alone. */
export type Subject =
  | { readonly model: string; readonly batch: number }
  | { readonly layer: Shape };

/** What engines compute on. */
export type Device = "cpu" | "gpu";

/** Where a backend computes; gpu.js has modes that are the processor's. */
export const deviceOf = (backend: string): Device =>
  /^gpu(:web(gpu|gl2?))?$/.test(backend) ? "gpu" : "cpu";

/** Options of {@link writeJob}. */
export interface JobOptions {
  readonly subject: Subject;
  readonly norm: string;
  readonly key: Key;
  /** Where packages are looked for. */
  readonly packages: string;
  readonly backend: string;
  readonly threads: number;
}

/** The job's file as peers read it; peers/README.md describes it. */
export interface JobFile extends Omit<JobOptions, "key" | "subject"> {
  /** Of a network. */
  readonly model?: string;
  readonly device: Device;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: Shape;
    readonly offset: number;
  }[];
  readonly values: string;
}

/** A job on the disk, until `dispose`. */
export interface Job {
  readonly file: string;
  dispose(): Promise<void>;
}

export async function writeJob(options: JobOptions): Promise<Job> {
  const { key, subject, ...rest } = options;
  const folder = await mkdtemp(join(tmpdir(), "fewnorm-peers-"));
  const dispose = () => rm(folder, { recursive: true });
  try {
    const parts =
      "layer" in subject
        ? layerParts(key, subject.layer)
        : [...parameters(subject.model, options), ...inputs(key, subject.batch)];
    let offset = 0;
    const tensors = parts.map(({ name, shape, values }) => {
      const tensor = { name, shape, offset };
      offset += values.length;
      return tensor;
    });
    const all = new Float32Array(offset);
    for (const [i, { values }] of parts.entries()) all.set(values, tensors[i]?.offset);
    const job: JobFile = {
      ...("layer" in subject ? {} : { model: subject.model }),
      ...{ ...rest, ...optimization, device: deviceOf(options.backend) },
      ...{ tensors, values: join(folder, "values.bin") },
    };
    await writeFile(job.values, new Uint8Array(all.buffer));
    const file = join(folder, "job.json");
    await writeFile(file, JSON.stringify(job));
    return { file, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

interface Part {
  readonly name: string;
  readonly shape: Shape;
  readonly values: ArrayLike<number>;
}

/** The model's first values, moved a little, so that no γ is 1 and no bias 0 and nobody gets away without them. */
function parameters(model: string, { norm, key }: JobOptions): Part[] {
  const built = parseModel(model)({ norm: parseNorm(norm), classes, inputShape });
  const { states } = traceTraining(built, { batch: 2, optimizer: sgd(optimization) });
  const own = states.filter(({ name }) => !name.endsWith(".momentum"));
  const first = initializeStates(own, foldIn(key, 0));
  return own.map(({ name, shape }, i) => {
    const values = first.get(name) as Float32Array;
    if (shape.length > 1) return { name, shape, values };
    const noise = normal(foldIn(foldIn(key, 1), i), values.length);
    // Variances stay positive.
    return { name, shape, values: values.map((x, j) => x + 0.2 * Math.tanh(noise[j] as number)) };
  });
}

function inputs(key: Key, batch: number): Part[] {
  const shape = [batch, ...inputShape];
  const labels = Array.from(randomBits(foldIn(key, 2), batch), (bits) => bits % classes);
  return [
    { name: "images", shape, values: normal(foldIn(key, 3), sizeOf(shape)) },
    { name: "labels", shape: [batch], values: labels },
  ];
}

function layerParts(key: Key, shape: Shape): Part[] {
  const channels = shape.slice(1, 2);
  const drawn = (i: number, of: Shape) => normal(foldIn(key, i), sizeOf(of));
  return [
    { name: "images", shape, values: drawn(0, shape) },
    { name: "gradient", shape, values: drawn(1, shape) },
    { name: "weight", shape: channels, values: drawn(2, channels) },
    { name: "bias", shape: channels, values: drawn(3, channels) },
  ];
}
