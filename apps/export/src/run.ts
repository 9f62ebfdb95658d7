// The command from its arguments to its exit status.

import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { name, type Reader, readText, shape, usageError, whole } from "@fewnorm/command-line";
import { exportOnnx } from "@fewnorm/onnx";
import { parseModel, parseNorm } from "@fewnorm/presets";
import type { Safetensors } from "@fewnorm/safetensors";
import { openSafetensorsFile } from "@fewnorm/safetensors/node";
import { hasAverages, readStateDict, traceEvaluation } from "@fewnorm/train";
import { replaceFile, weightsFile } from "@fewnorm/train/node";
import { type Arguments, parseArguments } from "./arguments.ts";

/** Where a file lies, behind all links. */
const placeOf = (name: string): Promise<string> => realpath(name).catch(() => resolve(name));

/**
 * Runs the command and returns its exit status.
 * @throws Error with a message for the user: a usage error where the command line is at fault.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const given = parseArguments(argv);
  const { onnx, foldNorms, newest, batch } = given;
  const init = await weightsFile(given.init);
  if ((await placeOf(init)) === (await placeOf(onnx))) {
    throw usageError(`--init and --onnx are both ${init}; give different files`);
  }
  const file = await openSafetensorsFile(init);
  try {
    const { model, norm } = modelOf(given, file);
    const remedy = "give the --model and --norm that it is of";
    const states = await readStateDict(file, model, init, { averages: !newest, remedy });
    const options = { foldNorms, ...(batch === undefined ? {} : { batch }) };
    const bytes = await exportOnnx(model, states, options);
    await replaceFile(onnx, bytes).catch((error: Error) => {
      throw new Error(`export: cannot write ${onnx} (${error.message}); give another --onnx`);
    });
    const input = `images [${batch ?? "N"}, ${model.inputShape.join(", ")}]`;
    const output = `logits [${batch ?? "N"}, ${model.classes}]`;
    const taken = newest ? "the newest weights, not their averages" : "averages of its weights";
    const chosen = hasAverages(file, model) ? `, ${taken}` : "";
    console.log(
      `${onnx}: ${model.name} with ${norm}${chosen}${foldNorms ? ", folded" : ""}, ${input} to ${output}, ${bytes.length} bytes`,
    );
    return 0;
  } finally {
    await file.dispose();
  }
}

/** The model that the command line describes, or else the file itself. */
function modelOf(given: Arguments, { metadata }: Safetensors) {
  const own = <T>(read: Reader<T>, key: string, option: string, example = ""): T =>
    readText(
      read,
      metadata.get(key) ?? missing(given, `${option}${example}`),
      `${given.init} needs ${option}, since its own`,
    );
  const model = given.model ?? own(name(parseModel), "model", "--model", ", such as resnet20");
  const ownNorm = () => (metadata.has("norm") ? own(name(parseNorm), "norm", "--norm") : "bn");
  const norm = given.norm ?? ownNorm();
  const classes = given.classes ?? own(whole(1), "classes", "--classes");
  const inputShape =
    given.shape ?? own(shape("CxHxW"), "inputShape", "--shape", ", such as 3x32x32");
  const build = (named: string) =>
    parseModel(model)({ norm: parseNorm(named), classes, inputShape });
  const evaluated = (named: string) =>
    JSON.stringify(traceEvaluation(build(named), { batch: 1 }).graph);
  const said = metadata.get("norm") ?? norm;
  // Weights may fit a norm that computes something else of them.
  if (said !== norm && isNorm(said) && evaluated(said) !== evaluated(norm)) {
    throw usageError(
      `${given.init} says that its norm is ${said}, and --norm ${norm} computes something else; leave --norm out`,
    );
  }
  return { model: build(norm), norm };
}

/** Whether it is a name of ours: metadata may be of other tools. */
function isNorm(text: string): boolean {
  try {
    parseNorm(text);
    return true;
  } catch {
    return false;
  }
}

function missing({ init }: Arguments, option: string): never {
  throw usageError(`${init} does not say what it is the weights of; give ${option}`);
}
