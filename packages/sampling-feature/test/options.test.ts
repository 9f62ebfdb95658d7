// What plain JavaScript passes where types refuse nothing.

import { featureSampling } from "@fewnorm/sampling-feature";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const cases: [unknown, RegExp][] = [
    [8, /featureSampling: the options are 8; .*height, width, ratio, minValues/],
    [undefined, /featureSampling: the options are undefined/],
    [{ height: 4, widht: 4 }, /featureSampling: there is no option "widht"/],
    [{ height: 4, width: 4, ratio: 0.5 }, /with height and width: there is no option "ratio"/],
  ];
  for (const [options, message] of cases) {
    const make = () => featureSampling(options as never);
    t.throws(make, message);
    t.throws(make, TypeError);
  }
  t.end();
});
