// A model on a backend: its states, and the compiled steps that share them.

import { type Backend, copyOf, createLifetime, createQueue } from "@fewnorm/backend";
import type { Model, StateDeclaration } from "@fewnorm/nn";
import {
  checkCount,
  checkMethod,
  checkOptions,
  elementsOf,
  type HostValue,
  type Key,
  type Shape,
  sameShape,
  showShape,
  showValue,
} from "@fewnorm/tensor";
import { initializeStates } from "./initial-states.ts";
import { negativeVariance } from "./negative-variance.ts";
import { classification, type Objective } from "./objective.ts";
import type { Optimizer } from "./optimizer.ts";
import { sgd } from "./sgd.ts";
import { planStep } from "./step-plan.ts";
import { few } from "./tensor-differences.ts";
import { traceEvaluation } from "./trace.ts";

/** Options of {@link createTrainer}. */
export interface TrainerOptions {
  /** Images of a training step, over which gradients are averaged. */
  readonly batch: number;
  /**
   * Images that run at a time, a divisor of `batch`: memory follows these. Default `batch`. See
   * {@link traceMicroTraining} for what becomes of statistics.
   */
  readonly micro?: number | undefined;
  /** Images of an evaluation step; default `micro`. */
  readonly evaluationBatch?: number;
  /** Default `sgd()`: momentum 0.9, weight decay 5e-4. */
  readonly optimizer?: Optimizer;
  /** Default `classification()`: the mean cross-entropy. */
  readonly objective?: Objective;
}

/** What one training step is made of. */
export interface StepFeeds {
  /** [batch, C, H, W], standardized. */
  readonly images: HostValue;
  /** [batch], class numbers. */
  readonly labels: HostValue;
  readonly learningRate: number;
  /** The step's key, from which the model draws its samples. */
  readonly key: Key;
}

/** A tensor outside the backend, row-major. */
export interface HostTensor {
  readonly shape: Shape;
  readonly values: Float32Array;
}

/** A model that can be trained, evaluated, read and written. Owns memory on the backend until `dispose`. */
export interface Trainer {
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly objective: Objective;
  readonly batch: number;
  /** Images that run at a time: `batch`, where it is not split. */
  readonly micro: number;
  readonly evaluationBatch: number;
  /** Parameters, running statistics and optimizer slots. */
  readonly states: readonly StateDeclaration[];
  /** Bytes of intermediate results of a training step, of the run that has most. */
  readonly workspaceBytes: number;
  /** Gives every state its first value. */
  initialize(key: Key): Promise<void>;
  /**
   * One step. Returns the loss and the logits [batch, classes], both before the update.
   * @throws Error before `initialize`, or a `write` of all the model's states; RangeError for a learning rate that is
   *   not finite, and for feeds of a wrong shape or label.
   */
  step(feeds: StepFeeds): Promise<{ loss: number; logits: ArrayLike<number> }>;
  /** Evaluation: images [evaluationBatch, C, H, W] → logits [evaluationBatch, classes]. @throws as `step`. */
  logits(images: HostValue): Promise<ArrayLike<number>>;
  /** Copies of all states by name. */
  read(): Promise<Map<string, HostTensor>>;
  /**
   * Replaces states, and until the first step what evaluation takes in their place. All names and shapes are
   * checked before the first one changes.
   * @throws Error for a name that there is not; RangeError for another shape, and for a running variance below 0.
   */
  write(tensors: ReadonlyMap<string, HostTensor>): Promise<void>;
  dispose(): Promise<void>;
}

/** The state that evaluation reads for each of a model's: the optimizer may keep another for a parameter. */
export function evaluatedState(
  optimizer: Optimizer,
  states: readonly StateDeclaration[],
): (name: string) => string {
  const parameters = new Set(
    states.filter(({ kind }) => kind === "parameter").map(({ name }) => name),
  );
  return (name) => (parameters.has(name) ? (optimizer.evaluated?.(name) ?? name) : name);
}

/**
 * Traces and compiles a model's training and evaluation. Its states get their values by `initialize` or `write`.
 * @throws RangeError when the model cannot work at these batch sizes, or the optimizer forgets parameters; nothing is
 *   left allocated then.
 */
export async function createTrainer(
  backend: Backend,
  model: Model,
  options: TrainerOptions,
): Promise<Trainer> {
  const where = "createTrainer";
  checkMethod(where, "backend", backend, "compile", "one, such as await createWasmBackend()");
  checkMethod(where, "model", model, "logits", "one, such as resnet({ depth: 20, norm })");
  checkOptions(where, options, {
    batch: "number",
    micro: "number",
    evaluationBatch: "number",
    optimizer: "any",
    objective: "any",
  });
  const { batch, micro = batch, evaluationBatch = micro, optimizer = sgd() } = options;
  const { objective = classification() } = options;
  checkMethod(where, "optimizer", optimizer, "step", "one, such as sgd()");
  checkMethod(where, "objective", objective, "record", "one, such as classification()");
  const training = planStep(model, { batch, micro, optimizer, objective });
  checkCount("trace", "evaluationBatch", evaluationBatch);
  const stateFor = evaluatedState(optimizer, training.states);
  const evaluation = traceEvaluation(model, { batch: evaluationBatch, stateFor });
  const names = new Set(training.states.map(({ name }) => name));
  const states = [...training.states, ...evaluation.states.filter(({ name }) => !names.has(name))];
  const { classes } = model;
  const state = await backend.createState([...states, ...training.carried]);
  const step = await training.compile(backend, state).catch(async (error) => {
    await state.dispose();
    throw error;
  });
  const evaluationStep = await backend.compile(evaluation.graph, state).catch(async (error) => {
    await step.dispose();
    await state.dispose();
    throw error;
  });

  // A step may be several runs, and the states are read and written one by one: nothing comes between.
  const queue = createQueue();
  const lifetime = createLifetime("the trainer", "create another");
  const enter = async <T>(where: string, work: () => Promise<T>): Promise<T> => {
    lifetime.check(where);
    return queue.enter(work);
  };
  /** What a caller may change before it is needed: by what waits, or by the later runs of a step. */
  const kept = (elements: ArrayLike<number>, later = queue.busy) =>
    later ? copyOf(elements) : elements;

  /** The model's states that have no values yet. The optimizer's begin at zero. */
  const empty = new Set(evaluation.states.map(({ name }) => name));
  const checkFilled = (where: string) => {
    if (empty.size === 0) return;
    throw new Error(
      `${where}: states of ${model.name} have no values yet (${few([...empty])}); call initialize(key) first, or write them`,
    );
  };
  let stepped = false;
  /** What evaluation takes in the place of states: until the first step there is nothing else to take. */
  const standIns = <V>(values: ReadonlyMap<string, V>): readonly (readonly [string, V])[] => {
    const replaced = stepped ? [] : [...values].filter(([name]) => stateFor(name) !== name);
    return replaced.map(([name, value]) => [stateFor(name), value]);
  };

  return {
    model,
    optimizer,
    objective,
    batch,
    micro,
    evaluationBatch,
    states,
    workspaceBytes: step.workspaceBytes,
    async initialize(key) {
      const first = initializeStates(states, key);
      await enter("initialize", async () => {
        empty.clear();
        stepped = false;
        for (const [name, values] of [...first, ...standIns(first)]) {
          await state.write(name, values);
        }
      });
    },
    async step({ images, labels, ...rest }) {
      checkRate(rest.learningRate);
      const later = queue.busy || micro < batch;
      const feeds = {
        images: kept(elementsOf("step: images", images, [batch, ...model.inputShape]), later),
        labels: kept(elementsOf("step: labels", labels, [batch], "int32"), later),
        ...rest,
      };
      return enter("step", async () => {
        checkFilled("step");
        const result = await step.run(feeds);
        stepped = true;
        return result;
      });
    },
    async logits(images) {
      const shape = [evaluationBatch, ...model.inputShape];
      const feeds = { images: kept(elementsOf("logits: images", images, shape)) };
      const fetches = await enter("logits", async () => {
        checkFilled("logits");
        return evaluationStep.run(feeds);
      });
      return elementsOf("logits", fetches.logits as HostValue, [evaluationBatch, classes]);
    },
    read() {
      return enter("read", async () => {
        const tensors = new Map<string, HostTensor>();
        for (const { name, shape } of states) {
          const values = Float32Array.from(elementsOf("read", await state.read(name), shape));
          tensors.set(name, { shape, values });
        }
        return tensors;
      });
    },
    async write(tensors) {
      checkMethod("write", "tensors", tensors, "entries", "a Map of tensors, as read makes");
      const shapes = new Map(states.map(({ name, shape }) => [name, shape]));
      const given = new Map<string, ArrayLike<number>>();
      for (const [name, { shape: found, values }] of tensors) {
        const shape = shapes.get(name);
        if (shape === undefined) {
          throw new Error(`write: ${model.name} has no state "${name}"; see states for its names`);
        }
        if (!sameShape(found, shape)) {
          throw new RangeError(
            `write: "${name}" is ${showShape(found)}, but ${model.name} expects ${showShape(shape)}`,
          );
        }
        given.set(name, copyOf(elementsOf(`write: "${name}"`, values, shape)));
      }
      const negative = negativeVariance(tensors);
      if (negative !== undefined) {
        throw new RangeError(
          `write: what is given ${negative}, where 0 or more must be; give the values as they were trained`,
        );
      }
      await enter("write", async () => {
        for (const name of given.keys()) empty.delete(name);
        const all = new Map([...standIns(given), ...given]);
        for (const [name, values] of all) await state.write(name, values);
      });
    },
    dispose() {
      lifetime.end();
      return queue.enter(async () => {
        await step.dispose();
        await evaluationStep.dispose();
        await state.dispose();
      });
    },
  };
}

function checkRate(learningRate: number): void {
  if (!Number.isFinite(learningRate)) {
    throw new RangeError(
      `step: learningRate is ${showValue(learningRate)}; give a finite number, such as the schedule's at this step`,
    );
  }
}
