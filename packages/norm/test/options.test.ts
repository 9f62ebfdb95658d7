// What plain JavaScript passes where types refuse nothing.

import {
  batchNorm,
  batchRenorm,
  frozenNorm,
  ghostBatchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  weightStandardization,
} from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const wrong = (options: unknown) => options as never;
  const strategy = batchSampling({ images: 4 });
  const cases: [() => unknown, RegExp][] = [
    [() => batchNorm(wrong("bs:4")), /batchNorm: the options are "bs:4"; .*sampling, gradient/],
    [() => batchNorm(wrong(strategy)), /batchNorm: .*"name"; the options are sampling/],
    [() => batchNorm(wrong({ sample: strategy })), /batchNorm: there is no option "sample"/],
    [() => batchRenorm(wrong({ rmax: 2 })), /batchRenorm: there is no option "rmax"/],
    [() => frozenNorm(wrong({ affine: true })), /frozenNorm: .*"affine"/],
    [() => ghostBatchNorm(wrong(16)), /ghostBatchNorm: .*are 16; .*virtualBatchSize/],
    [() => groupNorm(wrong(8)), /groupNorm: the options are 8; .*groups, affine, epsilon/],
    [() => instanceNorm(wrong({ tracked: true })), /instanceNorm: .*"tracked"/],
    [() => layerNorm(wrong("pixel")), /layerNorm: .*"pixel"; .*over/],
    [
      () => weightStandardization(wrong("gn:8")),
      /weightStandardization: norm is "gn:8"; .*groupNorm/,
    ],
    [() => weightStandardization(groupNorm(), wrong({ eps: 1 })), /weightStandardization: .*"eps"/],
  ];
  for (const [make, message] of cases) {
    t.throws(make, message);
    t.throws(make, TypeError);
  }
  t.end();
});
