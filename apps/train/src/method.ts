// What is minimized and how: from a configuration to an objective and an optimizer.

import {
  adamw,
  averaged,
  classification,
  clipped,
  lars,
  mixup,
  type Objective,
  type Optimizer,
  sgd,
} from "@fewnorm/train";
import type { Config } from "./config.ts";

type Options = Pick<Config, "momentum" | "weightDecay">;

/** Optimizers by name: what each defaults to, and how it is made. */
export const optimizers = {
  sgd: {
    lr: 0.1,
    weightDecay: 5e-4,
    make: ({ momentum, weightDecay }: Options) => sgd({ momentum, weightDecay }),
  },
  nesterov: {
    lr: 0.1,
    weightDecay: 5e-4,
    make: ({ momentum, weightDecay }: Options) => sgd({ momentum, weightDecay, nesterov: true }),
  },
  adamw: {
    lr: 1e-3,
    weightDecay: 0.01,
    make: ({ momentum, weightDecay }: Options) => adamw({ betas: [momentum, 0.999], weightDecay }),
  },
  lars: {
    lr: 2,
    weightDecay: 5e-4,
    make: ({ momentum, weightDecay }: Options) => lars({ momentum, weightDecay }),
  },
} as const satisfies Record<
  string,
  { lr: number; weightDecay: number; make: (options: Options) => Optimizer }
>;

export type OptimizerName = keyof typeof optimizers;

export const optimizerNames = Object.keys(optimizers) as readonly OptimizerName[];

/** @throws RangeError for options out of range. */
export function optimizerOf(config: Config): Optimizer {
  const { optimizer, clip, ema } = config;
  const made = optimizers[optimizer].make(config);
  const bounded = clip === undefined ? made : clipped(made, clip);
  return ema === undefined ? bounded : averaged(bounded, ema);
}

/** @throws RangeError for options out of range. */
export function objectiveOf({ labelSmoothing, mixup: alpha }: Config): Objective {
  const plain = classification({ labelSmoothing });
  return alpha === undefined ? plain : mixup(plain, { alpha });
}
