// Parameters of every model, without making any: as published, and under the names of PyTorch.

import {
  densenet,
  imagenetResnet,
  lenet,
  mobilenetV2,
  preActivationResnet,
  resnet,
  vgg,
  wideResnet,
} from "@fewnorm/models";
import type { Model } from "@fewnorm/nn";
import { batchNorm, noNorm } from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { sizeOf } from "@fewnorm/tensor";
import { traceEvaluation } from "@fewnorm/train";
import test from "tape";

function parameterCount(model: Model): number {
  return traceEvaluation(model, { batch: 1 })
    .states.filter(({ kind }) => kind === "parameter")
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

const norm = batchNorm();

test("parameter counts are the published ones", (t) => {
  const small = { classes: 10, inputShape: [3, 32, 32] } as const;
  const published: readonly (readonly [Model, number])[] = [
    // He et al. (CVPR 2016), table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million.
    [resnet({ depth: 20, norm }), 269_722],
    [resnet({ depth: 32, norm }), 464_154],
    [resnet({ depth: 44, norm }), 658_586],
    [resnet({ depth: 56, norm }), 853_018],
    [resnet({ depth: 110, norm }), 1_727_962],
    // torchvision's documentation.
    [imagenetResnet({ depth: 18, norm }), 11_689_512],
    [imagenetResnet({ depth: 34, norm }), 21_797_672],
    [imagenetResnet({ depth: 50, norm }), 25_557_032],
    [imagenetResnet({ depth: 101, norm }), 44_549_160],
    [imagenetResnet({ depth: 152, norm }), 60_192_808],
    [vgg({ depth: 11, norm }), 132_868_840],
    [vgg({ depth: 13, norm }), 133_053_736],
    [vgg({ depth: 16, norm }), 138_365_992],
    [vgg({ depth: 19, norm }), 143_678_248],
    [vgg({ depth: 16, norm: noNorm() }), 138_357_544],
    [densenet({ depth: 121, norm }), 7_978_856],
    [mobilenetV2({ norm }), 3_504_872],
    // Huang et al. (CVPR 2017), table 2: 0.8 million; He et al. (ECCV 2016): 1.7 million for 110 and 164;
    // Zagoruyko and Komodakis (BMVC 2016), table 4: 2.7, 8.9 and 36.5 million.
    [densenet({ depth: 100, norm }), 769_162],
    [preActivationResnet({ depth: 20, norm }), 272_282],
    [preActivationResnet({ depth: 56, norm }), 855_578],
    [preActivationResnet({ depth: 110, norm }), 1_730_522],
    [preActivationResnet({ depth: 164, bottleneck: true, norm }), 1_703_258],
    [wideResnet({ depth: 16, widen: 4, norm }), 2_748_890],
    [wideResnet({ depth: 40, widen: 4, norm }), 8_949_210],
    [wideResnet({ depth: 28, widen: 10, norm }), 36_479_194],
    // Its usual form for CIFAR-10, with one dense layer.
    [vgg({ depth: 16, norm, ...small }), 14_728_266],
    // One dense layer, however wide images are: [512, 1, 4] → 10.
    [vgg({ depth: 16, norm, classes: 10, inputShape: [3, 32, 128] }), 14_728_266 + 3 * 5120],
    [vgg({ depth: 16, norm, classes: 10, inputShape: [3, 128, 32] }), 14_728_266 + 3 * 5120],
    // LeNet-5 as it is usually counted.
    [lenet({ norm: noNorm() }), 61_706],
  ];
  for (const [model, count] of published) t.equal(parameterCount(model), count, model.name);
  t.end();
});

test("sampling adds no parameters; none has biases instead", (t) => {
  const bs = batchNorm({ sampling: batchSampling({ images: 2 }) });
  t.equal(parameterCount(resnet({ depth: 20, norm: bs })), 269_722);
  t.equal(parameterCount(resnet({ depth: 20, norm: noNorm() })), 269_034);
  t.end();
});

test("sizes that do not work are errors", (t) => {
  t.throws(() => resnet({ depth: 21, norm }), /resnet: depth is 21; give 6n \+ 2/);
  t.throws(
    () => preActivationResnet({ depth: 21, norm }),
    /preActivationResnet: depth is 21; give 6n \+ 2, such as 8, 14, 20/,
  );
  t.throws(
    () => preActivationResnet({ depth: 108, bottleneck: true, norm }),
    /depth is 108; give 9n \+ 2, such as 11, 20, 29/,
  );
  t.throws(
    () => wideResnet({ depth: 26, widen: 10, norm }),
    /wideResnet: depth is 26; give 6n \+ 4, such as 10, 16, 22/,
  );
  const dropped = wideResnet({ depth: 10, widen: 1, norm, dropout: 1 });
  t.throws(() => parameterCount(dropped), /dropout: the rate is 1; give a number from 0/);
  // As from a file or a command line, where no type helps.
  const depth = (value: number) => value as never;
  t.throws(
    () => vgg({ depth: depth(12), norm }),
    /^RangeError: vgg: depth is 12; give one of 11, 13/,
  );
  t.throws(
    () => densenet({ depth: depth(99), norm }),
    /densenet: depth is 99; give one of 100, 121/,
  );
  t.throws(
    () => imagenetResnet({ depth: depth(20), norm }),
    /imagenetResnet: depth is 20; give one/,
  );
  t.throws(
    () => mobilenetV2({ stages: [0, 7], norm }),
    /mobilenetV2: there is no stage 7; give some/,
  );
  t.throws(
    () => lenet({ norm, inputShape: [1, 8, 12] }),
    /lenet: images of 8×12 are too small; give 12×12 or larger ones/,
  );
  t.equal(parameterCount(lenet({ norm: noNorm(), inputShape: [1, 12, 12] })), 15_626);
  t.end();
});

test("every model works on small and on odd images", (t) => {
  for (const inputShape of [
    [1, 28, 28],
    [3, 32, 32],
    [3, 45, 37],
  ] as const) {
    const options = { norm, inputShape, classes: 7 };
    for (const model of [
      resnet({ depth: 20, ...options }),
      imagenetResnet({ depth: 18, ...options }),
      imagenetResnet({ depth: 50, ...options }),
      preActivationResnet({ depth: 20, ...options }),
      wideResnet({ depth: 10, widen: 2, ...options }),
      vgg({ depth: 11, ...options }),
      densenet({ depth: 121, blocks: [1, 1, 1, 1], ...options }),
      densenet({ depth: 100, blocks: [1, 1, 1], ...options }),
      mobilenetV2(options),
      lenet(options),
    ]) {
      const { graph } = traceEvaluation(model, { batch: 2 });
      const { shape } = graph.nodes[graph.outputs.logits as number] ?? {};
      t.deepEqual(shape, [2, 7], `${model.name} of ${inputShape}`);
    }
  }
  t.end();
});
