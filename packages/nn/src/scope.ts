// Scope: what a model's layers are given to declare parameters, running statistics and drawn values.

import {
  type Builder,
  type DType,
  foldIn,
  type Graph,
  type Key,
  type Shape,
  sameShape,
  showShape,
  showValue,
  type Tensor,
} from "@fewnorm/tensor";
import type { Initializer } from "./initializers.ts";

/** Training uses the batch's statistics and updates the running ones; evaluation uses the running ones. */
export type Mode = "train" | "evaluate";

/** A state that a model declares. Names are PyTorch's. */
export interface StateDeclaration {
  readonly name: string;
  readonly shape: Shape;
  /** Parameters are trained; buffers, such as running statistics, are not. */
  readonly kind: "parameter" | "buffer";
  readonly initialize: Initializer;
}

/** A value that is drawn from the step's key and fed at each step, such as a sampled region's origin. */
export interface Draw {
  readonly name: string;
  readonly draw: (key: Key) => ArrayLike<number>;
}

/**
 * Statistics that the micro-batches of a gradient batch have in common: the rows that they come from run once
 * and give them, and every micro-batch takes them.
 */
export type SharedStatistics =
  | {
      /** The rows at hand are virtual images, and the images that are sampled from the gradient batch. */
      readonly role: "give";
      /** Images of the gradient batch. */
      readonly batch: number;
      /** Asks for `count` images of the gradient batch, cyclically from the one that `first` draws. */
      sample(count: number, first: (key: Key) => number): void;
      give(name: string, value: Tensor): void;
    }
  | {
      /** The rows at hand are those of a micro-batch, without virtual images. */
      readonly role: "take";
      take(name: string, shape: Shape): Tensor;
    };

/** What a step is fed with besides what is drawn. */
const fed: readonly string[] = ["images", "labels", "learningRate"];

/** Passed from layer to layer while a model is traced. */
export interface Scope {
  /** The graph being recorded. */
  readonly builder: Builder;
  /** Whether the graph trains or evaluates. */
  readonly mode: Mode;
  /** Where in the model this scope is: `layer1.0`, or empty at the top. */
  readonly path: string;
  /** How many of the batch's first rows are virtual images, which no loss sees. 0 in evaluation. */
  readonly virtualRows: number;
  /** Where a gradient batch is split: sampled statistics are given and taken, not those of the rows at hand. */
  readonly shared?: SharedStatistics | undefined;
  /** Whether dropout drops: in training, where nothing is to be scored. */
  readonly dropping: boolean;
  /** The scope of a part of the model; names in it begin with this one's path. */
  at(name: string): Scope;
  /**
   * A trained tensor; under a name that was declared before, that one, so layers of one name share it.
   * @throws Error when the name is taken by another shape or kind.
   */
  parameter(name: string, shape: Shape, initialize: Initializer): Tensor;
  /** A tensor that is kept but not trained. @throws Error as `parameter`. */
  buffer(name: string, shape: Shape, initialize: Initializer): Tensor;
  /** Gives a buffer its next value; allowed in training only. */
  update(name: string, value: Tensor): void;
  /**
   * A value drawn anew at each step; `draw` gets a key of its own for every name and step.
   * @throws Error when the name is drawn already, or one of what a step is fed with.
   */
  drawn(name: string, shape: Shape, dtype: DType, draw: Draw["draw"]): Tensor;
}

/** What the scopes of one trace have gathered. */
export interface Declarations {
  readonly states: readonly StateDeclaration[];
  readonly draws: readonly Draw[];
}

/**
 * The outermost scope of a model, and the lists that it fills as the model is traced.
 * @throws TypeError for a mode that there is not.
 */
export function createScope(
  builder: Builder,
  mode: Mode,
  virtualRows = 0,
  shared?: SharedStatistics,
  dropping = mode === "train",
): { scope: Scope; declarations: Declarations } {
  if (mode !== "train" && mode !== "evaluate") {
    throw new TypeError(`createScope: the mode is ${showValue(mode)}; give "train" or "evaluate"`);
  }
  const states: StateDeclaration[] = [];
  const draws: Draw[] = [];

  function declare(declaration: StateDeclaration): Tensor {
    const { name, shape, kind } = declaration;
    const other = states.find((state) => state.name === name);
    if (other === undefined) states.push(declaration);
    else if (other.kind !== kind || !sameShape(other.shape, shape)) {
      throw new Error(
        `${kind}: "${name}" ${showShape(shape)} is declared already as ${other.kind} ${showShape(other.shape)}; give the layers different names`,
      );
    }
    return builder.state(name, shape);
  }

  const scopeAt = (path: string): Scope => {
    const full = (name: string) => {
      // Layers without a name would share their parameters.
      if (typeof name !== "string" || name === "") {
        throw new TypeError(
          `${path === "" ? "a layer" : `"${path}"`}: a name is ${showValue(name)}; give one to each layer, such as "conv1", and to a norm's conv2d and dense { linear: "conv1", norm: "bn1" }`,
        );
      }
      return path === "" ? name : `${path}.${name}`;
    };
    return {
      builder,
      mode,
      path,
      virtualRows,
      shared,
      dropping,
      at: (name) => scopeAt(full(name)),
      parameter: (name, shape, initialize) =>
        declare({ name: full(name), shape, kind: "parameter", initialize }),
      buffer: (name, shape, initialize) =>
        declare({ name: full(name), shape, kind: "buffer", initialize }),
      update(name, value) {
        if (mode !== "train") {
          throw new Error(
            `update: "${full(name)}" cannot change in evaluation mode; update it where the scope's mode is "train"`,
          );
        }
        builder.update(full(name), value);
      },
      drawn(name, shape, dtype, draw) {
        if (fed.includes(full(name))) {
          throw new Error(
            `drawn: a step is fed with "${full(name)}" (as with ${fed.join(", ")}); give the drawn value another name`,
          );
        }
        if (draws.some((other) => other.name === full(name))) {
          throw new Error(
            `drawn: "${full(name)}" is drawn already; give the layers different names`,
          );
        }
        draws.push({ name: full(name), draw });
        return builder.input(full(name), shape, dtype);
      },
    };
  };
  return { scope: scopeAt(""), declarations: { states, draws } };
}

/**
 * Draws every declared value for the step that `key` belongs to, by input name.
 * @param graph where given, leaves out what it does not read, which its runs would refuse
 */
export function drawAll(
  draws: readonly Draw[],
  key: Key,
  graph?: Graph,
): Record<string, ArrayLike<number>> {
  const drawn = draws.map(({ name, draw }, i) => [name, draw(foldIn(key, i))] as const);
  return Object.fromEntries(
    drawn.filter(([name]) => graph === undefined || Object.hasOwn(graph.inputs, name)),
  );
}
