// What plain JavaScript passes where types refuse nothing.

import { fullBatch, mixture } from "@fewnorm/sampling";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const strategy = fullBatch();
  const cases: [unknown, RegExp][] = [
    ["bs:4", /mixture: part 2: the options are "bs:4"; .*strategy, weight/],
    [strategy, /mixture: part 2: there is no option "name"/],
    [{ strategy, weigth: 2 }, /mixture: part 2: there is no option "weigth"/],
  ];
  for (const [options, message] of cases) {
    const make = () => mixture([{ strategy }, options as never]);
    t.throws(make, message);
    t.throws(make, TypeError);
  }
  t.end();
});
