// Models by name.

import { resnet } from "@fewnorm/models";
import type { Model } from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import { unknownName, withChoices } from "./unknown-name.ts";

/** What a model is built with. */
export interface ModelOptions {
  readonly norm: Norm;
  readonly classes: number;
  /** [C, H, W] of an image. */
  readonly inputShape: readonly [number, number, number];
}

const models: Readonly<Record<string, (options: ModelOptions) => Model>> = Object.fromEntries(
  [20, 32, 44, 56, 110].map((depth) => [
    `resnet${depth}`,
    (options: ModelOptions) => resnet({ ...options, depth }),
  ]),
);

/** Names of all models. */
export const modelNames: readonly string[] = Object.keys(models);

/**
 * The model of a name, such as `resnet20`, to be built with a norm and the data set's classes and shape.
 * @throws RangeError, in one line, for a name that there is not.
 */
export function parseModel(text: string): (options: ModelOptions) => Model {
  const model = Object.hasOwn(models, text) ? models[text] : undefined;
  if (model !== undefined) return model;
  const problem = unknownName("model", text, modelNames);
  throw new RangeError(
    `parseModel: ${withChoices(problem, `models are ${modelNames.join(", ")}`)}`,
  );
}
