// The command from its arguments to its exit status.

import { exportOnnx } from "@fewnorm/onnx";
import { parseModel, parseNorm } from "@fewnorm/presets";
import type { Safetensors } from "@fewnorm/safetensors";
import { openSafetensorsFile } from "@fewnorm/safetensors/node";
import { readStateDict } from "@fewnorm/train";
import { replaceFile } from "@fewnorm/train/node";
import { type Arguments, help, parseArguments, parseShape } from "./arguments.ts";
import { usageError } from "./failure.ts";

/**
 * Runs the command and returns its exit status.
 * @throws Error with one line for the user; `exitCode` 2 where the command line is at fault.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const given = parseArguments(argv);
  if (given === undefined) {
    process.stdout.write(help);
    return 0;
  }
  const { init, onnx, foldNorms, batch } = given;
  const file = await openSafetensorsFile(init);
  try {
    const { model, norm } = modelOf(given, file);
    const states = await readStateDict(file, model, init);
    const options = { foldNorms, ...(batch === undefined ? {} : { batch }) };
    const bytes = await exportOnnx(model, states, options);
    await replaceFile(onnx, bytes).catch((error: Error) => {
      throw new Error(`export: cannot write ${onnx} (${error.message}); give another --onnx`);
    });
    const input = `images [${batch ?? "N"}, ${model.inputShape.join(", ")}]`;
    const output = `logits [${batch ?? "N"}, ${model.classes}]`;
    console.log(
      `${onnx}: ${model.name} with ${norm}${foldNorms ? ", folded" : ""}, ${input} to ${output}, ${bytes.length} bytes`,
    );
    return 0;
  } finally {
    await file.dispose();
  }
}

/** The model that the command line describes, or else the file itself. */
function modelOf(given: Arguments, { metadata }: Safetensors) {
  const name = given.model ?? metadata.get("model") ?? missing(given, "--model, such as resnet20");
  const norm = given.norm ?? metadata.get("norm") ?? "bn";
  const classes = given.classes ?? Number(metadata.get("classes") ?? missing(given, "--classes"));
  const inputShape =
    given.shape ??
    parseShape(
      metadata.get("inputShape") ?? missing(given, "--shape, such as 3x32x32"),
      `${given.init}'s shape`,
    );
  if (!(Number.isSafeInteger(classes) && classes >= 1)) {
    throw usageError(`${given.init} says that it has ${classes} classes; give --classes`);
  }
  return { model: parseModel(name)({ norm: parseNorm(norm), classes, inputShape }), norm };
}

function missing({ init }: Arguments, option: string): never {
  throw usageError(`${init} does not say what it is the weights of; give ${option}`);
}
