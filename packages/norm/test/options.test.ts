// What plain JavaScript passes where types refuse nothing.

import { createScope } from "@fewnorm/nn";
import {
  batchNorm,
  batchRenorm,
  frozenNorm,
  ghostBatchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  noNorm,
  weightStandardization,
} from "@fewnorm/norm";
import { batchSampling } from "@fewnorm/sampling-batch";
import { createBuilder } from "@fewnorm/tensor";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const wrong = (options: unknown) => options as never;
  const strategy = batchSampling({ images: 4 });
  const cases: [() => unknown, RegExp][] = [
    [() => batchNorm(wrong("bs:4")), /batchNorm: the options are "bs:4"; .*sampling, gradient/],
    [() => batchNorm(wrong(strategy)), /batchNorm: .*"name"; the options are sampling/],
    [() => batchNorm(wrong({ sample: strategy })), /batchNorm: there is no option "sample"/],
    [() => batchNorm({ folded: wrong("false") }), /batchNorm: folded is "false"; give true or/],
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

test("so are those of layers", (t) => {
  const builder = createBuilder();
  const { scope } = createScope(builder, "train");
  const x = builder.input("x", [4, 8]);
  const names = { linear: "fc", norm: "bn" };
  for (const norm of [batchNorm(), layerNorm(), noNorm(), weightStandardization(layerNorm())]) {
    const dense = (options: unknown) => () => norm.dense(scope, names, x, options as never);
    const layer = (options: unknown) => () => norm.layer(scope, "bn", x, options as never);
    const cases: [() => unknown, RegExp][] = [
      [dense({ units: 4, bias: true }), /dense: layer "fc": there is no option "bias"; .*units/],
      [dense({ units: 4, relu: "no" }), /dense: layer "fc": relu is "no"; give true or false/],
      [dense(4), /dense: layer "fc": the options are 4/],
      [layer({ reLu: true }), /norm: layer "bn": there is no option "reLu"; .*residual, relu/],
      [() => norm.layer(scope, "bn", [1, 2] as never), /norm: layer "bn": .* is no tensor; give/],
      [() => norm.dense(scope, names, undefined as never, { units: 4 }), /undefined is no tensor/],
      [layer(true), /norm: layer "bn": the options are true/],
    ];
    for (const [make, message] of cases) {
      t.throws(make, message, `${norm.name}: ${message}`);
      t.throws(make, TypeError);
    }
  }
  t.end();
});
