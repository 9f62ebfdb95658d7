// From a model to the graphs of a training step whose batch is split into micro-batches.

import {
  drawVirtualImages,
  type Model,
  type SharedStatistics,
  type StateDeclaration,
} from "@fewnorm/nn";
import {
  add,
  type Builder,
  checkCount,
  grad,
  type Key,
  multiply,
  type Shape,
  sum,
  type Tensor,
} from "@fewnorm/tensor";
import { classification } from "./objective.ts";
import { recordUpdate } from "./optimizer.ts";
import { beginRecording, parametersOf, recordLoss } from "./recording.ts";
import type { Traced, TraceTrainingOptions } from "./trace.ts";

/** Options of {@link traceMicroTraining}. */
export interface TraceMicroTrainingOptions extends TraceTrainingOptions {
  /** Images of a micro-batch; divides the gradient batch, `batch`. */
  readonly micro: number;
}

/** Micro-batches of one size. */
export interface MicroRuns {
  /** Images of each. */
  readonly images: number;
  /** How many of them a step has. */
  readonly count: number;
  readonly traced: Omit<Traced, "states">;
}

/** The graphs of a split step, in the order in which they run. */
export interface TracedMicroTraining {
  /** Model states in the order of declaration, then the optimizer's. */
  readonly states: readonly StateDeclaration[];
  /** What the runs of a step hand to each other. All are zero before the first step. */
  readonly carried: readonly { readonly name: string; readonly shape: Shape }[];
  /** Images that statistics come from, of which every layer takes the first. */
  readonly sampled: {
    /** 0 where none are sampled. */
    readonly images: number;
    /** Draws the first one, from a key of the step's. They go on from there, cyclically. */
    first(key: Key): number;
  };
  /** The sampled and virtual rows forward; absent where statistics are not shared. */
  readonly statistics: Omit<Traced, "states"> | undefined;
  /** Forward and backward of all images but the sampled ones. */
  readonly micro: readonly MicroRuns[];
  /** The sampled and virtual rows forward and backward, and the optimizer. */
  readonly finish: Omit<Traced, "states">;
}

/**
 * The sample is larger than a micro-batch, and its memory decides. ResNet-20's takes a third less with 4 nodes, and
 * no less with 8.
 */
const RECOMPUTE = 4;

/** States: a layer's statistic, and the sum of the gradients of a parameter or such a statistic. */
const statisticOf = (name: string) => `micro.statistic.${name}`;
const gradientOf = (name: string) => `micro.gradient.${name}`;

/**
 * One training step of `batch` images, `micro` at a time (Chen et al., arXiv 1810.10962, on micro-batches): the
 * gradient of the mean loss of all of them, in the memory of a few.
 *
 * Norms that sample some images, or virtual ones, have one sample for all micro-batches and layers. The graph
 * `statistics` runs it forward and keeps every layer's mean μ and variance σ². `micro` normalizes by these, and sums
 * ∂L/∂μ and ∂L/∂σ² beside the parameters' gradients. `finish` runs the sample once more, and adds to its own loss
 * Σ μ·∂L/∂μ + σ²·∂L/∂σ², whose derivative is what the other images' losses ask of the sample; so the gradient is
 * that of the unsplit batch with this sample. With gradients that are detached from the statistics that part is none.
 * Every image runs forward and backward once, and the sample forward once more; what normalization makes of its
 * convolutions is computed a third time in the backward pass, since that takes less memory (`grad`'s `recompute`).
 *
 * All other norms see one micro-batch at a time, and their gradients are summed. Running statistics follow every
 * micro-batch then, as in PyTorch when gradients are accumulated.
 *
 * Inputs are those of `traceTraining`, with as many images as each graph has rows (the sampled ones for `statistics`
 * and `finish`, which have no such inputs where there are none); `learningRate` is one of `finish`. Outputs of
 * `micro` and, for the sampled images, `finish`: `logits`, and `loss`, which are shares whose sum is the mean over
 * the batch.
 * @throws RangeError when `micro` does not divide `batch`, or when the model cannot work at these sizes.
 */
export function traceMicroTraining(
  model: Model,
  options: TraceMicroTrainingOptions,
): TracedMicroTraining {
  const { batch, micro, optimizer, objective = classification() } = options;
  checkCount("trace", "batch", batch);
  checkMicro(batch, micro);
  const carried: { name: string; shape: Shape }[] = [];

  /** Records the rows that statistics come from: virtual images, and some of the batch or none. */
  function recordSample(
    images: number,
    shared: Omit<SharedStatistics & { readonly role: "give" }, "role" | "batch">,
    seen?: (builder: Builder) => Builder,
  ) {
    const recording = beginRecording(model, {
      mode: "train",
      // What has no images of the batch begins with one that nothing reads.
      batch: Math.max(images, 1),
      seen,
      shared: { role: "give", batch, ...shared },
    });
    if (images > 0) return { ...recording, result: recordLoss(recording, objective) };
    const virtual = drawVirtualImages(model, recording.scope);
    if (virtual !== undefined) model.logits(recording.scope, virtual);
    return { ...recording, result: undefined };
  }

  // What the layers ask for is known when they have seen a whole batch.
  let sampled: TracedMicroTraining["sampled"] = { images: 0, first: () => 0 };
  const statistics = new Set<string>();
  recordSample(batch, {
    sample(images, first) {
      if (images > sampled.images) sampled = { images, first };
    },
    give: (name) => statistics.add(name),
  });

  function traceStatistics(): Omit<Traced, "states"> {
    const given: [string, Tensor][] = [];
    const { builder, draws } = recordSample(sampled.images, {
      sample() {},
      give: (name, value) => given.push([statisticOf(name), value]),
    });
    for (const [name, value] of given) {
      carried.push({ name, shape: value.shape });
      builder.state(name, value.shape);
      builder.update(name, value);
    }
    return { graph: builder.finish(), draws };
  }

  function traceMicro(images: number) {
    const taken: { name: string; value: Tensor }[] = [];
    const { name, inputShape, classes } = model;
    const recording = beginRecording(
      { name, inputShape, classes, logits: (scope, images) => model.logits(scope, images) },
      {
        mode: "train",
        batch: images,
        shared: {
          role: "take",
          take(name, shape) {
            const value = recording.builder.state(statisticOf(name), shape);
            taken.push({ name: statisticOf(name), value });
            return value;
          },
        },
      },
    );
    const { builder, states, draws } = recording;
    const { logits, loss } = recordLoss(recording, objective);
    const share = multiply(loss, images / batch);
    const { parameters, values } = parametersOf(builder, states);
    const variables = [
      ...parameters.map(({ name }, i) => ({ name, value: values[i] as Tensor })),
      ...taken,
    ];
    const gradients = grad(
      share,
      variables.map(({ value }) => value),
    );
    const sums = variables.map(({ name, value }) => ({
      name: gradientOf(name),
      shape: value.shape,
    }));
    builder.labelled("accumulate", () => {
      sums.forEach(({ name, shape }, i) => {
        builder.update(name, add(builder.state(name, shape), gradients[i] as Tensor));
      });
    });
    builder.output("logits", logits);
    builder.output("loss", share);
    return { states, parameters, sums, traced: { graph: builder.finish(), draws } };
  }

  function traceFinish(
    states: readonly StateDeclaration[],
    sums: readonly { readonly name: string; readonly shape: Shape }[],
  ): Omit<Traced, "states"> {
    const terms: Tensor[] = [];
    // Running statistics have been updated already.
    const recording = recordSample(
      sampled.images,
      {
        sample() {},
        give(name, value) {
          const asked = value.builder.state(gradientOf(statisticOf(name)), value.shape);
          terms.push(sum(multiply(value, asked)));
        },
      },
      (builder) => ({ ...builder, update() {} }),
    );
    const { builder, draws, result } = recording;
    if (result !== undefined) {
      const share = multiply(result.loss, sampled.images / batch);
      builder.output("logits", result.logits);
      builder.output("loss", share);
      terms.push(share);
    }
    const { parameters, values } = parametersOf(builder, states);
    const total = terms.length === 0 ? undefined : terms.reduce((a, b) => add(a, b));
    const own = total && grad(total, values, { recompute: RECOMPUTE });
    const gradients = parameters.map(({ name, shape }, i) => {
      const summed = builder.state(gradientOf(name), shape);
      return own === undefined ? summed : add(summed, own[i] as Tensor);
    });
    recordUpdate(builder, optimizer, parameters, values, gradients);
    for (const { name, shape } of sums) builder.update(name, builder.constant(0, shape));
    return { graph: builder.finish(), draws };
  }

  const first = statistics.size === 0 ? undefined : traceStatistics();
  const rest = batch - sampled.images;
  const sizes = [
    { images: micro, count: Math.floor(rest / micro) },
    { images: rest % micro, count: 1 },
  ].filter(({ images, count }) => images > 0 && count > 0);
  const micros = sizes.map((size) => ({ ...size, ...traceMicro(size.images) }));
  const { states, parameters, sums } = micros[0] as (typeof micros)[number];
  carried.push(...sums);
  return {
    states: [...states, ...optimizer.slots(parameters)],
    carried,
    sampled,
    statistics: first,
    micro: micros.map(({ images, count, traced }) => ({ images, count, traced })),
    finish: traceFinish(states, sums),
  };
}

function checkMicro(batch: number, micro: number): void {
  checkCount("trace", "micro", micro);
  if (batch % micro === 0) return;
  const divisors = Array.from({ length: batch }, (_, i) => i + 1).filter((n) => batch % n === 0);
  const near = divisors.reduce((a, b) => (Math.abs(b - micro) < Math.abs(a - micro) ? b : a));
  throw new RangeError(
    `trace: micro-batches of ${micro} do not divide the batch of ${batch}; use a divisor of it, such as ${near}`,
  );
}
