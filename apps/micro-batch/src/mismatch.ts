// Whether the network that is tested is the one that was trained: one normalizes with statistics of the moment, the
// other with running ones.

import type { Backend, Executable } from "@fewnorm/backend";
import { createScope, drawAll, logitsOf, type Mode, type Model, virtualRowsOf } from "@fewnorm/nn";
import {
  createBuilder,
  elementsOf,
  foldIn,
  type HostValue,
  type Key,
  type Shape,
  sizeOf,
} from "@fewnorm/tensor";
import type { HostTensor } from "@fewnorm/train";
import type { SeeLayer } from "./network.ts";

/** Compares one method's two networks. Owns memory on the backend until `dispose`. */
export interface MismatchMeter {
  /** The layers, from the first on. */
  readonly layers: readonly string[];
  /**
   * For each layer ‖a − b‖/‖a‖, where a is what comes out of it in training and b in testing, of the same images:
   * 0 where the two are the same, 1 where one says nothing of the other. The root of the mean over the draws of its square.
   */
  measure(tensors: ReadonlyMap<string, HostTensor>, key: Key): Promise<number[]>;
  dispose(): Promise<void>;
}

/**
 * @param build the model, which hands its layers' results to what it is given
 * @param batch images whose statistics are taken together in training
 * @param images batches of so many standardized images
 */
export async function createMismatchMeter(
  backend: Backend,
  build: (see: SeeLayer) => Model,
  batch: number,
  images: readonly Float32Array[],
): Promise<MismatchMeter> {
  const [training, testing] = [tracedIn("train", build, batch), tracedIn("evaluate", build, batch)];
  const { states, layers } = training;
  const state = await backend.createState(states);
  const compiled: Executable[] = [];
  const dispose = async () => {
    for (const executable of compiled) await executable.dispose();
    await state.dispose();
  };
  try {
    for (const { graph } of [training, testing]) compiled.push(await backend.compile(graph, state));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    layers: layers.map(({ name }) => name),
    async measure(tensors, key) {
      for (const { name } of states) await state.write(name, tensors.get(name)?.values ?? []);
      const sums = layers.map(() => 0);
      for (const [i, shown] of images.entries()) {
        const drawn = drawAll(training.draws, foldIn(key, i), training.graph);
        const trained = await compiled[0]?.run({ images: shown, ...drawn });
        const tested = await compiled[1]?.run({ images: shown });
        for (const [k, { name, map, virtual }] of layers.entries()) {
          const a = elementsOf(name, trained?.[name] as HostValue, [virtual + batch, ...map]);
          const b = elementsOf(name, tested?.[name] as HostValue, [batch, ...map]);
          sums[k] = (sums[k] ?? 0) + distance(a, virtual * sizeOf(map), b);
        }
      }
      return sums.map((sum) => Math.sqrt(sum / images.length));
    },
    dispose,
  };
}

/** The model's layers as outputs of a graph that changes nothing. */
function tracedIn(mode: Mode, build: (see: SeeLayer) => Model, batch: number) {
  const layers: { name: string; map: Shape; virtual: number }[] = [];
  const builder = createBuilder();
  const model = build((name, x) => {
    const [rows = 1, ...map] = x.shape;
    layers.push({ name, map, virtual: rows - batch });
    builder.output(name, x);
  });
  const still = { ...builder, update() {} };
  const { scope, declarations } = createScope(still, mode, virtualRowsOf(model, mode));
  logitsOf(model, scope, builder.input("images", [batch, ...model.inputShape]));
  return { ...declarations, layers, graph: builder.finish() };
}

/** ‖a − b‖²/‖a‖², a from `skipped` on: the rows before it are virtual. */
function distance(a: ArrayLike<number>, skipped: number, b: ArrayLike<number>): number {
  let [difference, whole] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const value = a[skipped + i] as number;
    difference += (value - (b[i] as number)) ** 2;
    whole += value ** 2;
  }
  return whole === 0 ? Number(difference > 0) : difference / whole;
}
