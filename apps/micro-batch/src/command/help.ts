// The text of --help.

import { formatNorms, wrapNames } from "@fewnorm/command-line";
import { backendNames } from "@fewnorm/presets";
import { defaults, mostMethods } from "../settings.ts";
import { defaultImages } from "./options.ts";

export const help = `Trains one small network with several normalizations side by side, a few images at a time.

Usage: pnpm demo:cli [options]

  --norms LIST    up to ${mostMethods} methods, see below (default ${defaults.methods.join(",")})
  --micro N       images of a micro-batch (default ${defaults.micro})
  --batch N       images of a step, a multiple of that (default ${defaults.batch})
  --lr RATE       the learning rate, constant (default ${defaults.learningRate})
  --images N      training images that each method sees (default ${defaultImages})
  --seed N        of weights, order and samples (default ${defaults.seed})
  --backend NAME  ${wrapNames(backendNames, 18, 84)} (default wasm)
  --threads N     default: what the backend thinks best
  --help          prints this

Methods
${formatNorms()}
  With :whole behind, as in bn:whole, the batch is not split: what a method could do if memory were
  no matter. With @exact (default) or @detached: the gradient through the statistics.

All methods see the same images (2,000 of Fashion-MNIST, which come with fewnorm) in the same order,
and begin with the same weights. bn, fs, ghost and brn take statistics of each micro-batch, bs, ns and
vdn once for all micro-batches of a step. In the network's last layer a channel has one value for each
image: a sample of 4 images leaves 4 of them, which is few. On a terminal the curves move; elsewhere
there is a line for every test, on 500 other images. MiB is the memory that a step keeps beside the
weights.

Ctrl-C ends it and prints the table so far.

Examples
  pnpm demo:cli
  pnpm demo:cli --micro 2 --norms bn,gn:8,bs:4,vdn:4
  pnpm demo:cli --micro 4 --norms bn,bn:whole --images 12000

Exit status: 0 done, also where a method failed or diverged and another did not; lines below the table
say why; 1 if all of them did, or if something is wrong, and one line on stderr says what (with
FEWNORM_DEBUG=1, where); 2 the command line is wrong; 130 interrupted by Ctrl-C, 143 by SIGTERM.
`;
