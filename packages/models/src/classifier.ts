// What all models are given, and how each begins.

import type { Model, Scope } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { checkMethod, type Tensor } from "@fewnorm/tensor";

/** Options of every model. */
export interface ModelOptions {
  /** How every layer is normalized, such as `batchNorm()` or `noNorm()` of `@fewnorm/norm`. */
  readonly norm: Norm;
  /** Number of classes; default: that of the data that the model was published for. */
  readonly classes?: number;
  /** [C, H, W] of an image; default: as `classes`. */
  readonly inputShape?: readonly [number, number, number];
}

export const modelOptions = { norm: "any", classes: "number", inputShape: "array" } as const;

/** What the models were published for. */
export const cifar = { classes: 10, inputShape: [3, 32, 32] } as const;
export const imagenet = { classes: 1000, inputShape: [3, 224, 224] } as const;

/**
 * A model from its layers; classes and input shape are the options' or those that it was `published` for.
 * @throws TypeError for a norm that is none; RangeError for classes or an input shape that are no whole numbers.
 */
export function classifier(
  name: string,
  options: ModelOptions,
  published: Required<Omit<ModelOptions, "norm">>,
  logits: (scope: Scope, images: Tensor, classes: number) => Tensor,
): Model {
  const { norm, classes = published.classes, inputShape = published.inputShape } = options;
  checkMethod(name, "norm", norm, "conv2d", "one, such as batchNorm()");
  checkCounts(name, "classes", [classes]);
  checkCounts(name, "inputShape", inputShape);
  if (inputShape.length !== 3) {
    throw new RangeError(`${name}: inputShape is [${inputShape}]; give [channels, height, width]`);
  }
  return {
    name,
    inputShape,
    classes,
    virtualImages: norm.virtualImages,
    logits: (scope, images) => logits(scope, images, classes),
  };
}

/** @throws RangeError unless all of an option's numbers are whole ones from 1. */
export function checkCounts(where: string, option: string, values: readonly number[]): void {
  const wrong = values.findIndex((value) => !(Number.isSafeInteger(value) && value >= 1));
  if (wrong < 0) return;
  throw new RangeError(`${where}: ${option} has ${values[wrong]}; give whole numbers >= 1`);
}

/** The plan of a depth. @throws RangeError for a depth that has none. */
export function planOf<D extends number, P>(
  where: string,
  plans: Readonly<Record<D, P>>,
  depth: D,
): P {
  if (Object.hasOwn(plans, depth)) return plans[depth];
  const depths = Object.keys(plans).join(", ");
  throw new RangeError(`${where}: depth is ${depth}; give one of ${depths}`);
}
