// A conformance case: a small graph together with the values that it is run on.

import {
  type Builder,
  createBuilder,
  foldIn,
  type Graph,
  type Key,
  normal,
  randomBits,
  type Shape,
  sizeOf,
  type Tensor,
} from "@fewnorm/tensor";

/** Records a graph and draws the values of its operands. */
export interface Recorder {
  readonly builder: Builder;
  /** An operand of normally distributed numbers: `offset` + `deviation` · N(0, 1). */
  values(shape: Shape, options?: { offset?: number; deviation?: number }): Tensor;
  /** An operand of numbers >= 0.5, to divide by or take the root of. */
  positive(shape: Shape): Tensor;
  /** An operand of exactly these numbers. */
  given(values: readonly number[], shape: Shape): Tensor;
  /** A vector of whole numbers: starts, origins, labels. */
  integers(values: readonly number[]): Tensor;
  /** `count` labels from 0 to `classes` − 1. */
  labels(count: number, classes: number): Tensor;
  /** A state of normally distributed numbers. */
  state(name: string, shape: Shape): Tensor;
  /** The shapes of the states made by `state`. */
  readonly states: Readonly<Record<string, Shape>>;
}

export interface Case {
  readonly name: string;
  /** Records the graph and returns its outputs (one alone is called `y`). */
  build(recorder: Recorder): Tensor | Readonly<Record<string, Tensor>>;
}

/** A graph with the values to run it on, all exact in float32. */
export interface Recording {
  readonly graph: Graph;
  readonly feeds: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly states: Readonly<Record<string, { shape: Shape; values: Float32Array }>>;
}

/**
 * Records a case. `operandsAre` says where its float32 operands come from: fed at each run, or held
 * by the backend, which may store them otherwise.
 */
export function record(one: Case, key: Key, operandsAre: "fed" | "held" = "fed"): Recording {
  const builder = createBuilder();
  const feeds: Record<string, Float32Array | Int32Array> = {};
  const states: Record<string, { shape: Shape; values: Float32Array }> = {};
  let drawn = 0;

  const draw = (shape: Shape, map: (value: number) => number): Float32Array =>
    Float32Array.from(normal(foldIn(key, drawn++), sizeOf(shape)), map);

  function operand(shape: Shape, values: Float32Array): Tensor {
    const name = `operand ${Object.keys(feeds).length + Object.keys(states).length}`;
    if (operandsAre === "fed") {
      feeds[name] = values;
      return builder.input(name, shape);
    }
    states[name] = { shape, values };
    return builder.state(name, shape);
  }

  const madeStates: Record<string, Shape> = {};
  const recorder: Recorder = {
    builder,
    states: madeStates,
    values: (shape, { offset = 0, deviation = 1 } = {}) =>
      operand(
        shape,
        draw(shape, (value) => offset + deviation * value),
      ),
    positive: (shape) =>
      operand(
        shape,
        draw(shape, (value) => 0.5 + Math.abs(value)),
      ),
    given: (values, shape) => operand(shape, Float32Array.from(values)),
    integers(values) {
      const name = `integers ${Object.keys(feeds).length}`;
      feeds[name] = Int32Array.from(values);
      return builder.input(name, [values.length], "int32");
    },
    labels(count, classes) {
      const bits = randomBits(foldIn(key, drawn++), count);
      return recorder.integers(Array.from(bits, (value) => value % classes));
    },
    state(name, shape) {
      states[name] ??= { shape, values: draw(shape, (value) => value) };
      madeStates[name] = shape;
      return builder.state(name, shape);
    },
  };

  const outputs = one.build(recorder);
  const named = isTensor(outputs) ? { y: outputs } : outputs;
  for (const [name, tensor] of Object.entries(named)) builder.output(name, tensor);
  const graph = builder.finish();
  // Feeds of inputs that nothing uses would be an error.
  const used = Object.entries(feeds).filter(([name]) => Object.hasOwn(graph.inputs, name));
  return { graph, feeds: Object.fromEntries(used), states };
}

function isTensor(value: Tensor | Readonly<Record<string, Tensor>>): value is Tensor {
  return "builder" in value && "id" in value;
}
