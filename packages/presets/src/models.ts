// Models by name.

import {
  densenet,
  imagenetResnet,
  lenet,
  type ModelOptions,
  mobilenetV2,
  preActivationResnet,
  resnet,
  vgg,
  wideResnet,
} from "@fewnorm/models";
import type { Model } from "@fewnorm/nn";
import { checkKind } from "@fewnorm/tensor";
import { unknownName, withChoices } from "./unknown-name.ts";

type Build = (options: ModelOptions) => Model;

/** `<prefix><size>` for each size. */
const family = <Size extends string | number>(
  prefix: string,
  sizes: readonly Size[],
  build: (size: Size, options: ModelOptions) => Model,
): Record<string, Build> =>
  Object.fromEntries(sizes.map((size) => [`${prefix}${size}`, (options) => build(size, options)]));

const models: Readonly<Record<string, Build>> = {
  ...family("resnet", [20, 32, 44, 56, 110], (depth, options) => resnet({ ...options, depth })),
  ...family("resnet", [18, 34, 50, 101, 152] as const, (depth, options) =>
    imagenetResnet({ ...options, depth }),
  ),
  ...family("preresnet", [20, 56, 110, 164], (depth, options) =>
    preActivationResnet({ ...options, depth, bottleneck: depth === 164 }),
  ),
  "wrn28-10": (options) => wideResnet({ ...options, depth: 28, widen: 10 }),
  ...family("vgg", [11, 13, 16, 19] as const, (depth, options) => vgg({ ...options, depth })),
  ...family("densenet", [100, 121] as const, (depth, options) => densenet({ ...options, depth })),
  mobilenetv2: mobilenetV2,
  lenet,
};

/** Names of all models. */
export const modelNames: readonly string[] = Object.keys(models);

/**
 * The model of a name, such as `resnet20`, to be built with a norm and the data set's classes and shape;
 * without these it is built for what it was published for.
 * @throws RangeError, in one line, for a name that there is not.
 */
export function parseModel(text: string): Build {
  checkKind("parseModel", "the name", text, "string");
  const model = Object.hasOwn(models, text) ? models[text] : undefined;
  if (model !== undefined) return model;
  const problem = unknownName("model", text, modelNames);
  throw new RangeError(
    `parseModel: ${withChoices(problem, `models are ${modelNames.join(", ")}`)}`,
  );
}
