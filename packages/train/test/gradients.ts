// Gradients of one training step in the backend's own precision, whole or in micro-batches.

import type { Backend, State } from "@fewnorm/backend";
import type { Model } from "@fewnorm/nn";
import { elementsOf, key } from "@fewnorm/tensor";
import { createTrainer, type Optimizer, type StepFeeds, type TrainerOptions } from "@fewnorm/train";

/** Keeps gradients as the states `<parameter>.gradient`, and leaves the parameters as they are. */
const keeper: Optimizer = {
  name: "keeper",
  slots: (parameters) =>
    parameters.map((parameter) => ({
      ...parameter,
      name: `${parameter.name}.gradient`,
      kind: "buffer",
    })),
  step: (gradients) =>
    gradients.map(({ parameter, value, gradient }) => {
      const name = `${parameter.name}.gradient`;
      value.builder.state(name, value.shape);
      value.builder.update(name, gradient);
      return value;
    }),
};

/** What a step found: its loss and logits, and every state afterwards by name, unrounded. */
export interface Found {
  readonly loss: number;
  readonly logits: readonly number[];
  readonly states: Readonly<Record<string, readonly number[]>>;
}

/** What a step is fed; the learning rate does nothing. */
export type Fed = Omit<StepFeeds, "learningRate">;

/** What each step found, from the first values of `key(1)` on, as `change` leaves them. */
export async function foundBy(
  backend: Backend,
  model: Model,
  options: TrainerOptions,
  steps: readonly Fed[],
  change: (state: State) => Promise<void> = async () => {},
): Promise<Found[]> {
  const made: State[] = [];
  const watched: Backend = {
    ...backend,
    async createState(specs) {
      const state = await backend.createState(specs);
      made.push(state);
      return state;
    },
  };
  const trainer = await createTrainer(watched, model, { optimizer: keeper, ...options });
  const [state] = made as [State];
  await trainer.initialize(key(1));
  await change(state);
  const all: Found[] = [];
  for (const feeds of steps) {
    const { loss, logits } = await trainer.step({ ...feeds, learningRate: 1 });
    const states: Record<string, readonly number[]> = {};
    for (const { name, shape } of trainer.states) {
      states[name] = Array.from(elementsOf(name, await state.read(name), shape));
    }
    all.push({ loss, logits: Array.from(logits), states });
  }
  await trainer.dispose();
  return all;
}

/** What one step found. */
export async function found(
  backend: Backend,
  model: Model,
  options: TrainerOptions,
  feeds: Fed,
  change?: (state: State) => Promise<void>,
): Promise<Found> {
  const [only] = await foundBy(backend, model, options, [feeds], change);
  return only as Found;
}

/** The largest difference of any number, over the largest number of that tensor or 1e-3. */
export function difference(a: Found, b: Found): number {
  const pairs = [
    ...Object.keys(a.states).map((name) => [a.states[name] ?? [], b.states[name] ?? []] as const),
    [a.logits, b.logits] as const,
    [[a.loss], [b.loss]] as const,
  ];
  return Math.max(
    ...pairs.map(([x, y]) => {
      if (x.length !== y.length) return Number.POSITIVE_INFINITY;
      const size = Math.max(1e-3, ...y.map(Math.abs));
      return Math.max(0, ...x.map((value, i) => Math.abs(value - (y[i] as number)))) / size;
    }),
  );
}
