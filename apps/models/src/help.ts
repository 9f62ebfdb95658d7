// The text of --help.

import { formatNorms, wrapNames } from "@fewnorm/command-line";
import { modelNames } from "@fewnorm/presets";

export const help = `Tells what models consist of and need: layers, shapes, parameters, flops, memory.

Usage: pnpm models [NAME...] [options]

Without a name: all of them, a line each. Models are
  ${wrapNames(modelNames, 2, 92)}

Options
  --norm NAME      the normalization, see below (default bn)
  --shape CxHxW    of an image, such as 3x32x32 (default: what the model was published for)
  --classes N      number of classes (default: as published)
  --batch N        images in a training step, for the memory (default 32)

Norms
${formatNorms()}

Exit status: 0 done; 1 something is wrong, and one line on stderr says what (with FEWNORM_DEBUG=1,
where); 2 the command line is wrong.
`;
