// Models with states as after a training, and their logits here.

import type { Backend } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import type { Model } from "@fewnorm/nn";
import { foldIn, key, normal, sizeOf, uniform } from "@fewnorm/tensor";
import { type HostTensor, initializeStates, modelStates, traceEvaluation } from "@fewnorm/train";

/** States that are nowhere trivial: γ and σ² between 0.5 and 1.5, β and μ between −0.25 and 0.25. */
export function randomStates(model: Model): Map<string, HostTensor> {
  const states = modelStates(model);
  const first = initializeStates(states, key(1));
  return new Map(
    states.map(({ name, shape }, i) => {
      if (shape.length > 1) return [name, { shape, values: first.get(name) ?? new Float32Array() }];
      const around = /(bn|norm)\S*\.weight$|running_(var|std)$/.test(name) ? 1 : 0;
      const drawn = uniform(foldIn(key(2), i), sizeOf(shape));
      const spread = around === 1 ? 1 : 0.5;
      return [
        name,
        { shape, values: Float32Array.from(drawn, (u) => around + spread * (u - 0.5)) },
      ];
    }),
  );
}

export const imagesOf = ({ inputShape }: Model, batch: number): Float32Array =>
  Float32Array.from(normal(key(3), batch * sizeOf(inputShape)));

/** The logits, by default in float64: what float32 is compared with. */
export async function logitsHere(
  model: Model,
  states: ReadonlyMap<string, HostTensor>,
  images: Float32Array,
  made: Backend | Promise<Backend> = createReferenceBackend({ precision: "float64" }),
): Promise<Float64Array> {
  const backend = await made;
  try {
    const batch = images.length / sizeOf(model.inputShape);
    const traced = traceEvaluation(model, { batch });
    const state = await backend.createState(traced.states);
    for (const [name, { values }] of states) await state.write(name, values);
    const { logits } = await (await backend.compile(traced.graph, state)).run({ images });
    return Float64Array.from(logits?.data ?? []);
  } finally {
    await backend.dispose();
  }
}

/** The largest difference, and the largest of the expected values. */
export function compare(found: ArrayLike<number>, expected: ArrayLike<number>) {
  if (found.length !== expected.length) throw new Error(`${found.length} values`);
  let [off, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    off = Math.max(off, Math.abs((found[i] as number) - (expected[i] as number)));
    size = Math.max(size, Math.abs(expected[i] as number));
  }
  return { off, size };
}
