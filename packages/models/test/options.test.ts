// What plain JavaScript passes where types refuse nothing.

import {
  densenet,
  imagenetResnet,
  lenet,
  mobilenetV2,
  preActivationResnet,
  resnet,
  summarize,
  vgg,
  wideResnet,
} from "@fewnorm/models";
import { batchNorm } from "@fewnorm/norm";
import test from "tape";

const right = {
  densenet: { depth: 100 },
  imagenetResnet: { depth: 18 },
  lenet: {},
  mobilenetV2: {},
  preActivationResnet: { depth: 20 },
  resnet: { depth: 20 },
  vgg: { depth: 11 },
  wideResnet: { depth: 16, widen: 2 },
};
const models = {
  ...{ densenet, imagenetResnet, lenet, mobilenetV2, preActivationResnet, resnet, vgg, wideResnet },
};

test("options that are none, or are misspelt, and norms that are none, are refused", (t) => {
  for (const name of Object.keys(models) as (keyof typeof models)[]) {
    const make = (options: unknown) => () => models[name](options as never);
    const cases: [unknown, RegExp][] = [
      [undefined, /: the options are undefined; give an object of options: norm, classes, input/],
      [20, /: the options are 20; /],
      [
        { ...right[name], norm: batchNorm(), clases: 2 },
        /: there is no option "clases"; .*classes/,
      ],
      [right[name], /: norm is undefined; give one, such as batchNorm\(\)/],
      [{ ...right[name], norm: "bn" }, /: norm is "bn"; /],
      [{ ...right[name], norm: batchNorm }, /: norm is a function; /],
    ];
    for (const [options, message] of cases) {
      t.throws(make(options), message, `${name} ${message}`);
      t.throws(make(options), TypeError, name);
    }
  }
  const norm = batchNorm();
  const ranges: [() => unknown, RegExp][] = [
    [() => resnet({ norm, depth: 20, classes: 0 }), /^RangeError: resnet20: classes has 0; give/],
    [() => lenet({ norm, inputShape: [1, NaN, 28] }), /lenet: inputShape has NaN; give whole/],
    [
      () => lenet({ norm, inputShape: [1, 28] as never }),
      /lenet: inputShape is \[1,28\]; give \[ch/,
    ],
    [() => mobilenetV2({ norm, width: -1 }), /mobilenetV2: width is -1; give a number above 0/],
    [
      () => imagenetResnet({ norm, depth: 18, blocks: [2, 0] }),
      /imagenetResnet: blocks has 0; give whole numbers/,
    ],
    [
      () => imagenetResnet({ norm, depth: 18, blocks: [2, undefined as never] }),
      /imagenetResnet: blocks has undefined; give whole numbers/,
    ],
    [() => densenet({ norm, depth: 121, blocks: [0.5] }), /densenet: blocks has 0\.5; give whole/],
    [() => resnet({ norm, depth: "20" as never }), /^TypeError: resnet: depth is "20"; give a num/],
  ];
  for (const [make, message] of ranges) t.throws(make, message, String(message));
  const summary = () => summarize(lenet({ norm: batchNorm() }), 32 as never);
  t.throws(summary, /summarize: the options are 32; /);
  t.end();
});
