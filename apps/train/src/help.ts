// The text of --help.

import { formatNorms, wrapNames } from "@fewnorm/command-line";
import { backendNames, modelNames } from "@fewnorm/presets";
import { defaults } from "./config.ts";
import { type OptimizerName, optimizerNames, optimizers } from "./method.ts";

/** A default, and the optimizers that have another: `0.1, for adamw 0.001`. */
function of(choose: (optimizer: (typeof optimizers)[OptimizerName]) => number): string {
  const usual = choose(optimizers[defaults.optimizer]);
  const others = optimizerNames
    .filter((name) => choose(optimizers[name]) !== usual)
    .map((name) => `, for ${name} ${choose(optimizers[name])}`);
  return `${usual}${others.join("")}`;
}

export const help = `Trains a convolutional network on images, and tests it.

Usage: pnpm train [options]

Data and model
  --data PATH            CIFAR-10's binary version (the folder, or the .tar.gz), or a folder with
                         MNIST's IDX files; without it, the small data set that comes with fewnorm
  --train-images N       use the first N training images only
  --test-images N        use the first N test images only
  --model NAME           ${wrapNames(modelNames, 25)} (default ${defaults.model})
  --init FILE            begins with the weights in FILE: safetensors, such as a PyTorch state dict,
                         what --save wrote, a checkpoint, or the folder of a training
  --norm NAME            the normalization, see below (default ${defaults.norm})
  --strategy MODULE      batch normalization with a sampling strategy of your own instead: the name
                         of an installed package, or the path of its folder or of a .js file, as
                         for pnpm bench

Training
  --epochs N             default ${defaults.epochs}
  --batch N              images in a step (default ${defaults.batch})
  --micro N              runs so many images of the batch at a time, in the memory of so many: see
                         Micro-batches below (default: the whole batch)
  --optimizer NAME       ${optimizerNames.join(", ")} (default ${defaults.optimizer})
  --lr RATE              the largest learning rate (default ${of(({ lr }) => lr)})
  --schedule NAME        cosine: falls to 0 along a cosine; step: a tenth after each milestone;
                         constant (default ${defaults.schedule})
  --warmup EPOCHS        the rate rises from 0 over so many epochs first (default ${defaults.warmup}, or a fifth
                         of a shorter training)
  --milestones E,E       epochs for --schedule step (default: 1/2 and 3/4 of the training)
  --momentum M           default ${defaults.momentum}; adamw's first beta
  --weight-decay D       default ${of(({ weightDecay }) => weightDecay)}
  --clip NORM            scales gradients down to this global norm
  --ema DECAY            tests and saves a moving average of the parameters, e.g. 0.99; of a
                         checkpoint, pnpm export takes it too, --init the newest parameters
  --label-smoothing E    share of a label that all classes get alike, e.g. 0.1
  --mixup ALPHA          mixes pairs of images and their labels, e.g. 0.2
  --augment              pad by 4, crop and mirror the training images; the default
  --no-augment           take them as they are
  --seed N               a whole number; the same seed gives the same result (default ${defaults.seed})

Output
  --save FILE            writes the trained model to FILE as safetensors, with PyTorch's names
  --out DIR              keeps checkpoints and summary.json there; without it there are none
  --resume               goes on from the checkpoint in --out; all other options then default to
                         those that it was made with. Epochs and rates must stay what they were:
                         to train on after the end, --init with the checkpoint
  --checkpoint-every N   steps from one checkpoint to the next (default: an epoch)
  --eval-every N         epochs from one test to the next (default ${defaults.evalEvery})
  --recalibrate N        in the end, computes running statistics anew from N batches of training
                         images, and tests with them; --save then saves these. Mends fs with small
                         patches, spoils vdn. Runs whole batches, whatever --micro is
  --batch-statistics     in the end, also tests with each test batch's own statistics, whole
                         batches as well
  --jsonl FILE           appends every measurement to FILE, as one JSON object a line. If that
                         fails, the training goes on without, and its exit status is 1
  --quiet                prints the summary only

Machine
  --backend NAME         ${backendNames.join(", ").replace(", gpu:", ",\n                         gpu:")}
                         (default ${defaults.backend}); gpu takes the best mode that answers
  --threads N            default: what the backend thinks best. Another number changes results in
                         the last digits.

Norms
${formatNorms()}
  With @exact (default), @sampled, @sampled-all or @detached behind: the gradient through the
  statistics, as in bs:4@detached.

Micro-batches
  Gradients are averaged over the batch, whatever --micro is. bs, ns, vdn and their mixtures take
  one sample for all micro-batches, so that they compute what they do on the whole batch, and the
  memory is that of the sample if that is larger. bn, fs, brn and ghost have statistics of each
  micro-batch alone, and their running statistics (and the steps of brn) follow every one of them;
  all others do not care. mixup mixes images of one micro-batch, of 2 and more.

Examples
  pnpm train --epochs 3
  pnpm train --data cifar-10-batches-bin --norm bs:32 --epochs 30 --out runs/bs32
  pnpm train --out runs/bs32 --resume
  pnpm train --norm vdn:4 --batch 128 --micro 2

Ctrl-C finishes the step and, with --out, writes a checkpoint; a second one ends at once.

Exit status: 0 done; 1 something is wrong, and one line on stderr says what (with FEWNORM_DEBUG=1,
where); 2 the command line is wrong; 130 interrupted by Ctrl-C, 143 by SIGTERM.
`;
