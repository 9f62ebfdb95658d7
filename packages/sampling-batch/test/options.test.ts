// What plain JavaScript passes where types refuse nothing.

import { batchSampling, naiveSampling } from "@fewnorm/sampling-batch";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const wrong = (options: unknown) => options as never;
  const cases: [() => unknown, RegExp][] = [
    [() => batchSampling(wrong(4)), /batchSampling: the options are 4; .*images, ratio, minValues/],
    [() => batchSampling(wrong(undefined)), /batchSampling: the options are undefined/],
    [() => batchSampling(wrong({ image: 4 })), /batchSampling: there is no option "image"/],
    [
      () => batchSampling(wrong({ images: 4, ratio: 0.5 })),
      /batchSampling with images: there is no option "ratio"/,
    ],
    [() => naiveSampling(wrong("4")), /naiveSampling: the options are "4"; .*images/],
    [() => naiveSampling(wrong({ image: 4 })), /naiveSampling: there is no option "image"/],
  ];
  for (const [make, message] of cases) {
    t.throws(make, message);
    t.throws(make, TypeError);
  }
  t.end();
});
