// The command line, as typed values, and its help.

import { parseArgs } from "node:util";
import { usageError } from "./failure.ts";

/** What was given on the command line. */
export interface Arguments {
  readonly init: string;
  readonly onnx: string;
  readonly model?: string | undefined;
  readonly norm?: string | undefined;
  readonly classes?: number | undefined;
  /** [C, H, W]. */
  readonly shape?: readonly [number, number, number] | undefined;
  readonly batch?: number | undefined;
  readonly foldNorms: boolean;
}

export const help = `Writes a trained model as an ONNX file, for inference elsewhere.

Usage: pnpm export --init FILE --onnx FILE [options]

  --init FILE       the weights: safetensors, such as what pnpm train --save wrote, a checkpoint,
                    or a PyTorch state dict
  --onnx FILE       the file to write
  --fold-norms      multiplies normalization into the convolutions before it
  --batch N         images of a run (default: any number)

What --init does not say itself, as a file of PyTorch does not:
  --model NAME      the model, e.g. resnet20
  --norm NAME       the normalization, e.g. bn (the default); pnpm train --help lists both
  --shape CxHxW     of an image, e.g. 3x32x32
  --classes N       what the model tells apart

The file's input is images [N, C, H, W], float32, standardized as in training; its output is
logits [N, classes].

Examples
  pnpm train --epochs 3 --save model.safetensors
  pnpm export --init model.safetensors --onnx model.onnx --fold-norms

Exit status: 0 done; 1 something is wrong, and one line on stderr says what (with FEWNORM_DEBUG=1,
where); 2 the command line is wrong.
`;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const options = {
  ...{ init: text, onnx: text, model: text, norm: text, shape: text, classes: text, batch: text },
  ...{ "fold-norms": flag, help: flag },
};

/** Undefined where help is wanted. @throws Error with exit status 2 for what cannot be. */
export function parseArguments(argv: readonly string[]): Arguments | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const { init, onnx, model, norm } = values;
  if (!init) throw usageError("--init is missing; give the file with the weights");
  if (!onnx) throw usageError("--onnx is missing; give the file to write");
  return {
    ...{ init, onnx, model, norm },
    classes: count("classes", values.classes),
    batch: count("batch", values.batch),
    shape: values.shape === undefined ? undefined : parseShape(values.shape, "--shape"),
    foldNorms: values["fold-norms"] === true,
  };
}

/** Three sizes such as `3x32x32`. @throws Error with exit status 2 for anything else. */
export function parseShape(value: string, what: string): readonly [number, number, number] {
  const [, ...sizes] = /^([1-9]\d{0,8})[x×]([1-9]\d{0,8})[x×]([1-9]\d{0,8})$/.exec(value) ?? [];
  if (sizes.length === 0) throw usageError(`${what} ${value} is no shape; give e.g. 3x32x32`);
  return sizes.map(Number) as [number, number, number];
}

function count(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(value)) {
    throw usageError(`--${option} ${value} is not a whole number >= 1`);
  }
  return Number(value);
}

function parse(argv: readonly string[]) {
  try {
    // pnpm hands a separating "--" on to the script.
    const args = argv[0] === "--" ? argv.slice(1) : [...argv];
    return parseArgs({ args, options, allowPositionals: false }).values;
  } catch (error) {
    const [line = ""] = (error as Error).message.split("\n");
    throw usageError(line.replace(/\.$/, ""));
  }
}
