// A piece of a network around one normalization, as graphs whose time is that of the piece alone.

import {
  createScope,
  type Draw,
  type Initializer,
  type Scope,
  type StateDeclaration,
} from "@fewnorm/nn";
import type { Norm } from "@fewnorm/norm";
import {
  conv2d,
  createBuilder,
  customGradient,
  type Graph,
  grad,
  normal,
  reshape,
  type Shape,
  sizeOf,
  slice,
  type Tensor,
  trace,
} from "@fewnorm/tensor";

/** `forward` in training mode, or `both`: forward, and backward to the input and all parameters. */
export type Pass = "forward" | "both";

/** What is measured around a norm. */
export interface Piece {
  readonly name: "layer" | "block";
  /** x [N, C, H, W] → as many values. */
  build(scope: Scope, norm: Norm, x: Tensor): Tensor;
}

/** The normalization as a layer of its own. */
export const layer: Piece = {
  name: "layer",
  build: (scope, norm, x) => norm.layer(scope, "norm", x),
};

/** relu(norm(x ∗ w)), 3×3, with as many channels out as in; with a norm that folds, folded. */
export const block: Piece = {
  name: "block",
  build: (scope, norm, x) =>
    norm.conv2d(scope, { linear: "conv", norm: "norm" }, x, {
      channels: x.shape[1] ?? 1,
      kernel: 3,
      padding: 1,
      relu: true,
    }),
};

/** A traced piece. Nothing is fed but what is drawn. */
export interface TracedPiece {
  readonly graph: Graph;
  /** To be run before `graph`, where there is one: writes the gradient of the result, whose memory `graph` takes. */
  readonly before?: Graph;
  readonly states: readonly StateDeclaration[];
  readonly draws: readonly Draw[];
}

/** Whether a piece's input's gradient takes the place of its result's, which in a network nothing needs afterwards. */
export const worksInPlace = (piece: Piece, backend: string): boolean =>
  // That of a block comes from a convolution, which cannot write it over what it reads.
  piece === layer && backend === "wasm";

/**
 * Traces a piece over images of `shape` [N, C, H, W], with the norm's virtual rows in front. The input, and
 * for `both` the gradient of the result, are states, so that no time goes into feeding them; of the results
 * one element each is fetched.
 * @param backend - The name of the backend that is to run it.
 */
export function tracePiece(
  piece: Piece,
  norm: Norm,
  shape: Shape,
  pass: Pass,
  backend: string,
): TracedPiece {
  const virtual = norm.virtualImages?.count ?? 0;
  const probe = backend === "wasm" ? first : convolvedFirst;
  const builder = createBuilder();
  const { scope, declarations } = createScope(builder, "train", virtual);
  const [n = 1, ...image] = shape;
  const x = standardNormal(scope, "x", [n + virtual, ...image]);
  const y = piece.build(scope, norm, x);
  // With backward, too: nothing there takes y, and what nothing takes is not computed.
  builder.output("y", probe(y));
  if (pass === "forward") return { graph: builder.finish(), ...declarations };
  const g = standardNormal(scope, "g", y.shape);
  const loss = customGradient(probe(y), [y], () => [g]);
  const parameters = declarations.states
    .filter(({ kind }) => kind === "parameter")
    .map((state) => builder.state(state.name, state.shape));
  const gradients = grad(loss, [x, ...parameters]);
  gradients.forEach((result, i) => {
    builder.output(`gradient ${i}`, probe(result));
  });
  if (!worksInPlace(piece, backend)) return { graph: builder.finish(), ...declarations };
  const name = stateName("g", y.shape);
  builder.update(name, gradients[0] as Tensor);
  standardNormal(scope, "given", y.shape);
  const before = trace((other) => {
    other.state(name, y.shape);
    other.update(name, other.state(stateName("given", y.shape), y.shape));
  });
  return { graph: builder.finish(), before, ...declarations };
}

/** Holds the shape: pieces with other rows have states of their own. */
const stateName = (name: string, shape: Shape): string => `${name} ${shape.join("x")}`;

const standardNormal = (scope: Scope, name: string, shape: Shape): Tensor =>
  scope.buffer(stateName(name, shape), shape, tiledNormal);

/** Drawing millions of values would take longer than what is measured, so some thousands are repeated. */
const tiledNormal: Initializer = (shape, key) => {
  const drawn = normal(key, Math.min(sizeOf(shape), 65_521));
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => drawn[i % drawn.length] as number);
};

/** The first element. */
function first(x: Tensor): Tensor {
  const start = x.shape.map(() => 0);
  return reshape(slice(x, { start, shape: start.map(() => 1) }), []);
}

/**
 * The first element, of which backends that compute no more than they are asked for need all: a convolution reads arrays
 * that are there.
 */
function convolvedFirst(x: Tensor): Tensor {
  const pixel = reshape(first(x), [1, 1, 1, 1]);
  return reshape(conv2d(pixel, x.builder.constant(1, pixel.shape)), []);
}
