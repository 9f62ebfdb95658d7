// The model contract: what training, evaluation and the zoo share.

import { joinRows, type Key, rows, type Shape, showValue, type Tensor } from "@fewnorm/tensor";
import type { Scope } from "./scope.ts";

/** Images that a model's normalization brings along: they are put before the batch in training. */
export interface VirtualImages {
  readonly count: number;
  /** The step's virtual images in standardized units, row-major [count, C, H, W]. */
  draw(shape: Shape, key: Key): ArrayLike<number>;
}

/** A classifier of images. */
export interface Model {
  /** As users write it, `resnet20`; kept in checkpoints. */
  readonly name: string;
  /** [C, H, W] of one image. */
  readonly inputShape: readonly [number, number, number];
  /** Number of classes. */
  readonly classes: number;
  /** Those that its norm needs: `norm.virtualImages`. */
  readonly virtualImages?: VirtualImages | undefined;
  /** images [N, C, H, W] → logits [N, classes], recorded in the scope's graph. */
  logits(scope: Scope, images: Tensor): Tensor;
}

/** How many virtual rows a model's batches begin with in `mode`. */
export function virtualRowsOf(model: Model, mode: Scope["mode"]): number {
  return mode === "train" ? (model.virtualImages?.count ?? 0) : 0;
}

/** The virtual images of a step, of the shape of `image`, drawn in `scope`; undefined where there are none. */
export function drawVirtualImages(
  model: Model,
  scope: Scope,
  image: Shape = model.inputShape,
): Tensor | undefined {
  const { virtualImages } = model;
  const virtual = scope.virtualRows;
  if (virtual !== virtualRowsOf(model, scope.mode)) {
    throw new RangeError(
      `logitsOf: the scope has ${virtual} virtual rows, ${model.name} needs ${virtualRowsOf(model, scope.mode)}; make it with virtualRowsOf(model, mode)`,
    );
  }
  if (virtualImages === undefined || virtual === 0) return undefined;
  const shape = [virtual, ...image];
  return scope.drawn("virtualImages", shape, "float32", (key) => virtualImages.draw(shape, key));
}

/**
 * The model's logits of `images` [N, C, H, W] alone. In training its virtual images are drawn, run
 * along before the others and left out of the result. `scope` must have been made with
 * `virtualRowsOf(model, mode)`.
 * @throws TypeError for a model that returns no tensor.
 */
export function logitsOf(model: Model, scope: Scope, images: Tensor): Tensor {
  const [n = 1, ...image] = images.shape;
  const drawn = drawVirtualImages(model, scope, image);
  if (drawn === undefined) return returned(model, model.logits(scope, images));
  const virtual = scope.virtualRows;
  const start = scope.builder.constant(0, [1], "int32");
  const real = { base: virtual, modulo: n, offset: 0, count: n };
  const all = joinRows([
    { part: drawn, start, range: { base: 0, modulo: virtual, offset: 0, count: virtual } },
    { part: images, start, range: real },
  ]);
  return rows(returned(model, model.logits(scope, all)), start, { range: real });
}

/** What a model's `logits` returned. @throws TypeError for no tensor: a `return` is easily forgotten. */
function returned({ name }: Model, logits: Tensor | undefined): Tensor {
  if (Array.isArray(logits?.shape)) return logits as Tensor;
  throw new TypeError(
    `${name}: logits returned ${showValue(logits)}; return a tensor, [N, classes], from a function that is not async`,
  );
}
