// The text of --help.

import { modelNames, normForms } from "@fewnorm/presets";

export const help = `Tells what models consist of and need: layers, shapes, parameters, flops, memory.

Usage: pnpm models [NAME...] [options]

Without a name: all of them, a line each. Models are
  ${wrapped(modelNames)}

Options
  --norm NAME      the normalization (default bn): ${normForms.map(({ form }) => form.split(",")[0]).join(", ")}
  --input CxHxW    shape of an image, such as 3x32x32 (default: what the model was published for)
  --classes N      number of classes (default: as published)
  --batch N        images in a training step, for the memory (default 32)

Exit status: 0 done; 1 something is wrong, and one line on stderr says what; 2 the command line is wrong.
`;

function wrapped(names: readonly string[]): string {
  return names.reduce((text, name) => {
    const line = text.length - text.lastIndexOf("\n") + name.length;
    return `${text},${line > 90 ? "\n  " : " "}${name}`;
  });
}
