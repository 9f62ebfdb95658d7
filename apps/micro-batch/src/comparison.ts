// Several methods trained side by side: step by step in turns, on the same images in the same order.

import type { Backend } from "@fewnorm/backend";
import { createBatches, type Dataset } from "@fewnorm/data";
import { foldIn, key as keyOf } from "@fewnorm/tensor";
import { type Contestant, createContestant, type Tested } from "./contestant.ts";
import type { Settings } from "./settings.ts";

/** How far a method has come. */
interface Position {
  /** Index in `settings.methods`. */
  readonly method: number;
  /** Training images seen. */
  readonly images: number;
  /** Time that its steps took; tests and the other methods' turns are not counted. */
  readonly seconds: number;
}

/** A method is ready to begin. */
export interface ReadyEvent {
  readonly type: "ready";
  readonly method: number;
  readonly memoryBytes: number;
  readonly layers: readonly string[];
}

/** A method cannot begin, or cannot go on; the others do. */
export interface FailedEvent {
  readonly type: "failed";
  readonly method: number;
  readonly message: string;
}

export interface StepEvent extends Position {
  readonly type: "step";
  /** Mean cross-entropy of the batch, before the step. */
  readonly loss: number;
}

export interface TestEvent extends Position, Tested {
  readonly type: "test";
}

export type ComparisonEvent = ReadyEvent | FailedEvent | StepEvent | TestEvent;

/** Options of {@link compare}. */
export interface CompareOptions {
  /** Ends after so many steps, with a test. Default: never. */
  readonly steps?: number;
}

/** Steps from one test to the next. */
const testEvery = 16;

/**
 * Trains until the consumer stops; it pauses while nothing is asked for. Step s has the same images and the same
 * key for every method, and layers of the same name begin with the same weights.
 */
export async function* compare(
  backend: Backend,
  dataset: Dataset,
  settings: Settings,
  { steps = Number.POSITIVE_INFINITY }: CompareOptions = {},
): AsyncGenerator<ComparisonEvent, void, undefined> {
  const { batch, seed } = settings;
  const key = keyOf(seed);
  const batches = createBatches(dataset.train, {
    dataset,
    batchSize: batch,
    key: foldIn(key, 1),
  });
  const racing = new Map<number, { contestant: Contestant; seconds: number }>();
  try {
    for (const [method, name] of settings.methods.entries()) {
      try {
        const contestant = await createContestant(backend, dataset, name, settings);
        racing.set(method, { contestant, seconds: 0 });
        const { memoryBytes, layers } = contestant;
        yield { type: "ready", method, memoryBytes, layers };
      } catch (error) {
        yield { type: "failed", method, message: (error as Error).message };
      }
    }
    for (let step = 0; racing.size > 0; step++) {
      const images = step * batch;
      if (step % testEvery === 0 || step >= steps) {
        const losses = new Map<number, number>();
        for (const [method, { contestant, seconds }] of racing) {
          const tested = await contestant.test();
          losses.set(method, tested.loss);
          yield { type: "test", method, images, seconds, ...tested };
        }
        if (step >= steps) {
          // What the last step has done, no next one's loss tells.
          for (const [method, loss] of losses) {
            if (Number.isFinite(loss)) continue;
            yield { type: "failed", method, message: divergence(step, "test loss", loss) };
          }
          return;
        }
      }
      const { stepsPerEpoch } = batches;
      const shown = batches.batch(Math.floor(step / stepsPerEpoch), step % stepsPerEpoch);
      const stepKey = foldIn(foldIn(key, 2), step);
      for (const [method, runner] of racing) {
        const began = performance.now();
        const loss = await runner.contestant.step(shown.images, shown.labels, stepKey);
        runner.seconds += (performance.now() - began) / 1000;
        if (Number.isFinite(loss)) {
          yield { type: "step", method, images: images + batch, seconds: runner.seconds, loss };
          continue;
        }
        racing.delete(method);
        await runner.contestant.dispose();
        yield { type: "failed", method, message: divergence(step, "loss", loss) };
      }
    }
  } finally {
    for (const { contestant } of racing.values()) await contestant.dispose();
  }
}

const divergence = (steps: number, what: string, loss: number): string =>
  `diverged: after ${steps} steps the ${what} is ${loss}; try a smaller learning rate`;
