// The command line, as typed values.

import {
  name,
  parseArguments as parse,
  type Shapes,
  shape,
  text,
  usageError,
  whole,
} from "@fewnorm/command-line";
import { parseModel, parseNorm } from "@fewnorm/presets";

/** What was given on the command line. */
export interface Arguments {
  readonly init: string;
  readonly onnx: string;
  readonly model?: string | undefined;
  readonly norm?: string | undefined;
  readonly classes?: number | undefined;
  /** [C, H, W]. */
  readonly shape?: Shapes["CxHxW"] | undefined;
  readonly batch?: number | undefined;
  readonly foldNorms: boolean;
  /** Whether a checkpoint's newest weights are taken although it has averages. */
  readonly newest: boolean;
}

const options = {
  init: text,
  onnx: text,
  model: name(parseModel),
  norm: name(parseNorm),
  shape: shape("CxHxW"),
  classes: whole(1),
  batch: whole(1),
  foldNorms: "flag",
  newest: "flag",
} as const;

/** @throws a usage error for options that are missing, that there are not, or whose value cannot be. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values } = parse(argv, options);
  const { init, onnx, foldNorms = false, newest = false } = values;
  if (init === undefined) throw usageError("--init is missing; give the file with the weights");
  if (onnx === undefined) throw usageError("--onnx is missing; give the file to write");
  return { ...values, init, onnx, foldNorms, newest };
}
