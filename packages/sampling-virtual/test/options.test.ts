// What plain JavaScript passes where types refuse nothing.

import { virtualDataset } from "@fewnorm/sampling-virtual";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const cases: [unknown, RegExp][] = [
    [4, /virtualDataset: the options are 4; .*images, kept, seed/],
    [undefined, /virtualDataset: the options are undefined/],
    [{ images: 4, keep: true }, /virtualDataset: there is no option "keep"/],
  ];
  for (const [options, message] of cases) {
    const make = () => virtualDataset(options as never);
    t.throws(make, message);
    t.throws(make, TypeError);
  }
  t.end();
});
