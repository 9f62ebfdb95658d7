// A model's parameters and running statistics as a safetensors file that PyTorch and we both read.

import type { Model, StateDeclaration } from "@fewnorm/nn";
import type { Safetensors, TensorInfo } from "@fewnorm/safetensors";
import { checkMethod, checkOptions } from "@fewnorm/tensor";
import { isCheckpoint, readUnchanged } from "./checkpoint-format.ts";
import { negativeVariance } from "./negative-variance.ts";
import { slotOf } from "./optimizer-parts.ts";
import { tensorDifferences } from "./tensor-differences.ts";
import { traceEvaluation } from "./trace.ts";
import { evaluatedState, type HostTensor, type Trainer } from "./trainer.ts";

/** What a model computes its logits from: parameters and running statistics, without optimizer slots. */
export const modelStates = (model: Model): readonly StateDeclaration[] =>
  traceEvaluation(model, { batch: 1 }).states;

/**
 * Copies of a trainer's parameters, or what evaluation takes in their place, such as averages, and running
 * statistics, by PyTorch's names.
 */
export async function stateDictOf(trainer: Trainer): Promise<Map<string, HostTensor>> {
  const all = await trainer.read();
  const stateFor = evaluatedState(trainer.optimizer, trainer.states);
  return new Map(
    modelStates(trainer.model).map(
      ({ name }) => [name, all.get(stateFor(name)) as HostTensor] as const,
    ),
  );
}

/** Replaces a trainer's parameters, what evaluation takes in their place, and running statistics. */
export async function writeStateDict(
  trainer: Trainer,
  tensors: ReadonlyMap<string, HostTensor>,
): Promise<void> {
  const stateFor = evaluatedState(trainer.optimizer, trainer.states);
  await trainer.write(
    new Map([...tensors, ...[...tensors].map(([name, t]) => [stateFor(name), t] as const)]),
  );
}

/** Options of {@link readStateDict}. */
export interface ReadStateDictOptions {
  /**
   * Whether a checkpoint's averages are taken in place of its newest parameters, as evaluation took them, where it
   * has them: see {@link hasAverages}. Default false.
   */
  readonly averages?: boolean;
  /** What the message of a file that does not fit tells to do; default `build the model that it is of`. */
  readonly remedy?: string;
}

/**
 * A model's states from a safetensors file: one that `stateDictOf` was written to, a PyTorch state dict, or a
 * training's checkpoint, of which the newest parameters or their averages are taken and other slots left out. Half
 * precision is widened, float64 rounded. `num_batches_tracked`, which PyTorch counts, is ignored where the model has no
 * such state, and 0 where the file has none: only batch renormalization counts.
 * @param where what messages call the file, such as its path
 * @throws Error that lists the names that are missing, not expected, or of another shape, and the model that the
 *   file says it is of, if it does; for a checkpoint that does not match its checksum; and for a running variance
 *   below 0.
 */
export async function readStateDict(
  file: Safetensors,
  model: Model,
  where = "the file",
  options: ReadStateDictOptions = {},
): Promise<Map<string, HostTensor>> {
  checkOptions("readStateDict", options, { averages: "boolean", remedy: "string" });
  checkMethod(
    "readStateDict",
    "file",
    file,
    "read",
    "what openSafetensors or openSafetensorsFile gives, awaited",
  );
  const { averages = false, remedy = "build the model that it is of" } = options;
  const all = modelStates(model);
  const isFresh = ({ name }: StateDeclaration) => isCounter(name) && !file.tensors.has(name);
  const states = all.filter((state) => !isFresh(state));
  const standIns = new Map(averages && hasAverages(file, model) ? averagesOf(states) : []);
  const wanted = [...states, ...standIns.values()];
  const differences = tensorDifferences(relevant(file, wanted), wanted);
  if (differences.length > 0) {
    throw new Error(
      `readStateDict: ${where} does not fit ${model.name} (${differences.join("; ")})${origin(file)}; ${remedy}`,
    );
  }
  const refuse = (problem: string): never => {
    throw new Error(`readStateDict: ${where} ${problem}`);
  };
  const unchanged = isCheckpoint(file) ? await readUnchanged(file, refuse) : undefined;
  const tensors = new Map<string, HostTensor>();
  for (const { name } of states) {
    const from = standIns.get(name)?.name ?? name;
    tensors.set(name, unchanged?.get(from) ?? (await file.readFloat32(from)));
  }
  const negative = negativeVariance(tensors);
  if (negative !== undefined) {
    refuse(`${negative}, where 0 or more must be; give the weights as they were trained`);
  }
  for (const { name, shape } of all.filter(isFresh)) {
    tensors.set(name, { shape, values: new Float32Array(1) });
  }
  return tensors;
}

/** Whether a file is a checkpoint that holds an average, as of `averaged`, of every parameter of the model. */
export const hasAverages = (file: Safetensors, model: Model): boolean =>
  isCheckpoint(file) &&
  averagesOf(modelStates(model)).every(([, { name }]) => file.tensors.has(name));

/** The state of the average by each parameter's name. */
const averagesOf = (states: readonly StateDeclaration[]) =>
  states
    .filter(({ kind }) => kind === "parameter")
    .map((state) => [state.name, slotOf(state, "average")] as const);

/** What a file says it is of, as `modelMetadata` and the commands write it; nothing where it says nothing. */
function origin({ metadata }: Safetensors): string {
  const [model, norm, classes] = ["model", "norm", "classes"].map((key) => metadata.get(key));
  if (model === undefined) return "";
  const parts = [
    model,
    ...(norm === undefined ? [] : [`with ${norm}`]),
    ...(classes === undefined ? [] : [`for ${classes} classes`]),
  ];
  return `; it says that it is of ${parts.join(" ")}`;
}

const isCounter = (name: string): boolean => /(^|\.)num_batches_tracked$/.test(name);

/** The tensors of a file but for those that are known not to matter. */
function relevant(
  file: Safetensors,
  states: readonly StateDeclaration[],
): ReadonlyMap<string, TensorInfo> {
  const names = new Set(states.map(({ name }) => name));
  const isSlot = (name: string) =>
    isCheckpoint(file) && (/^optimizer\./.test(name) || names.has(name.replace(/\.[^.]*$/, "")));
  return new Map(
    [...file.tensors].filter(([name]) => names.has(name) || !(isCounter(name) || isSlot(name))),
  );
}

/** What a file of a model's states says of it, for those who build it again. `pt` is what PyTorch's tools expect. */
export const modelMetadata = ({ name, inputShape, classes }: Model): Record<string, string> => ({
  format: "pt",
  model: name,
  inputShape: inputShape.join("x"),
  classes: `${classes}`,
});
