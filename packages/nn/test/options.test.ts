// What plain JavaScript passes where types refuse nothing.

import { conv2d, createScope, dense, maxPool } from "@fewnorm/nn";
import { createBuilder } from "@fewnorm/tensor";
import test from "tape";

test("options that are none, or are misspelt, are refused with the layer's name", (t) => {
  const wrong = (options: unknown) => options as never;
  const builder = createBuilder();
  const { scope } = createScope(builder, "train");
  const x = builder.input("x", [2, 3, 4, 4]);
  const flat = builder.input("flat", [2, 3]);
  const cases: [() => unknown, RegExp][] = [
    [() => conv2d(scope, "a", x, wrong(undefined)), /conv2d: layer "a": the options are undefined/],
    [
      () => conv2d(scope, "a", x, wrong({ channels: 4, kernel: 3, strides: 2 })),
      /conv2d: layer "a": there is no option "strides"; .*channels, kernel, stride/,
    ],
    [() => dense(scope, "fc", flat, wrong(10)), /dense: layer "fc": the options are 10; .*units/],
    [() => dense(scope, "fc", flat, wrong({ units: 4, bias: false })), /no option "bias"/],
    [
      () => conv2d(scope, wrong(undefined), x, { channels: 4, kernel: 3 }),
      /a layer: a name is und/,
    ],
    [() => dense(scope.at("head"), "", flat, { units: 4 }), /"head": a name is ""; give one/],
    [
      () => createScope(builder, wrong("training")),
      /createScope: the mode is "training"; give "tr/,
    ],
    [() => maxPool(x, wrong(2)), /maxPool: the options are 2; .*kernel, stride, padding/],
    [
      () => conv2d(scope, "a", x, { channels: 4, kernel: 3, padding: wrong("same") }),
      /conv2d: layer "a": padding is "same"; give a number, or an array of two/,
    ],
    [
      () => conv2d(scope, "a", x, { channels: 4, kernel: 3, stride: wrong(null) }),
      /conv2d: layer "a": stride is null; give a number, or an array of two/,
    ],
    [() => conv2d(scope, "a", x, { channels: 4, kernel: wrong([3, 3, 3]) }), /kernel is an array/],
    [() => maxPool(x, { kernel: wrong("2") }), /maxPool: kernel is "2"; give a number, or an arr/],
    [() => maxPool(x, wrong({ kernel: 2, pad: 1 })), /maxPool: there is no option "pad"/],
  ];
  for (const [record, message] of cases) {
    t.throws(record, message);
    t.throws(record, TypeError);
  }
  t.end();
});
