// The text of --help.

import { formatNorms, wrapNames } from "@fewnorm/command-line";
import { backendNames, modelNames } from "@fewnorm/presets";
import { defaults } from "./options.ts";
import type { Suite } from "./suite.ts";

export function helpText(suites: readonly Suite[]): string {
  const width = Math.max(...suites.map(({ name }) => name.length));
  return `Measures what normalization costs on this machine, and what it is good for.

Usage: pnpm bench [SUITE...] [options]

Suites (without one: ${suites
    .filter(({ byDefault }) => byDefault)
    .map(({ name }) => name)
    .join(", ")})
${suites.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join("\n")}

Options
  --time SECONDS     for each suite (default ${defaults.time}); every case is measured three times at least, so
                     that a slow machine may take longer
  --norms LIST       (or --norm) norms to measure, such as bs:8,fs:1/16,vdn:4@detached; the baselines
                     none and bn are measured anyway (default: a choice of each kind, without
                     what the batch is too small for); for all but peers
  --strategy MODULE  measures a sampling strategy of your own as well, for all but peers: the name of
                     an installed package, or the path of its folder or of a .js file. It is the
                     export "strategy", or else the default export, or else the first export that is
                     a strategy; each may be a function that makes one without arguments. May be given
                     repeatedly.
  --batch N          images in a batch (default 128, in accuracy 64)
  --model NAME       ${wrapNames(modelNames, 21)}
                     (default: resnet20, in accuracy a network a third of its size); peers build
                     resnet20, 32, 44, 56 and 110
  --data PATH        for step, accuracy and profile: CIFAR-10's binary version (the folder, or the
                     .tar.gz), or a folder with MNIST's IDX files (default: the images that come with
                     fewnorm, a subset of Fashion-MNIST); networks are built for its images' size
  --shapes LIST      for norm, peers and gpu: layers to measure as NxCxHxW, such as
                     128x16x32x32,64x64x8x8; not with --full
  --full             for norm: 32x64x56x56 as well
  --peers DIR        for peers: the folder in whose node_modules they are looked for (default: this one).
                     PyTorch is that of python3, or of the Python that the variable PYTHON names.
  --peer FILE        for peers: a peer of your own, .mjs, .js, .py or executable, that answers
                     what apps/bench/peers/README.md says. May be given repeatedly.
  --patience SECONDS for peers: how long a peer may take for each answer before it is ended and left
                     out (default ${defaults.patience})
  --backend NAME     ${backendNames.join(", ").replace(", gpu:", ",\n                     gpu:")}
                     (default ${defaults.backend}); for gpu: the only mode to measure, as in gpu:webasm;
                     what browsers have is measured in Chromium, /usr/bin/chromium or that of the
                     variable CHROMIUM. With peers, gpu and gpu:webgpu compare with PyTorch on CUDA, on
                     the same GPU
  --threads N        for all but gpu (default: what the backend thinks best)
  --seed N           of data, weights, samples and the order of measurements (default ${defaults.seed})
  --json FILE        writes every sample, with machine, versions and commit
  --help             prints this
What none of the suites that run would take is a mistake.

Norms
${formatNorms()}
  With @exact (default), @sampled, @sampled-all or @detached behind: the gradient through the
  statistics, as in bs:4@detached.

How it measures: what is compared runs in turns, in rounds of a random order, after warming up. Ratios
are medians over the rounds of the ratios within a round; in brackets are 95% intervals (bootstrap of the
median), or how many rounds there were, if fewer than six. Other work on the machine widens them.

Ctrl-C ends it and shows what has been measured so far; a second one ends at once.

Examples
  pnpm bench
  pnpm bench step --model resnet56 --norms bs:4,bs:16 --time 120
  pnpm bench step --data cifar-10-batches-bin
  pnpm bench peers --peers ~/peers
  pnpm bench norm step --strategy examples/own-strategy.mjs --json samples.json

Exit status: 0 done; 1 something is wrong, and one line on stderr says what (with FEWNORM_DEBUG=1,
where); 2 the command line is wrong; 130 interrupted by Ctrl-C, 143 by SIGTERM.
`;
}
