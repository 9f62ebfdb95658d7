// The command line, as typed values.

import { name, oneOf, parseArguments as parse, shape, whole } from "@fewnorm/command-line";
import { modelNames, parseNorm } from "@fewnorm/presets";

export interface Arguments {
  /** Models to tell of in detail; none: all of them, a line each. */
  readonly names: readonly string[];
  readonly norm: string;
  readonly batch: number;
  /** What differs from what each model was published for. */
  readonly sizes: {
    readonly classes?: number;
    readonly inputShape?: readonly [number, number, number];
  };
}

const options = {
  norm: name(parseNorm),
  shape: shape("CxHxW"),
  classes: whole(1),
  batch: whole(1),
} as const;

/** @throws a usage error for options that there are not, or whose value cannot be. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv, options, oneOf("model", modelNames));
  const { norm = "bn", shape: inputShape, classes, batch = 32 } = values;
  return {
    names: positionals,
    norm,
    batch,
    sizes: {
      ...(classes === undefined ? {} : { classes }),
      ...(inputShape === undefined ? {} : { inputShape }),
    },
  };
}
