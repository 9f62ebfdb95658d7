// Numbers for people.

import test from "tape";
import { grouped } from "../src/grouped.ts";

test("digits in groups of three, as Intl has them", (t) => {
  const { format } = new Intl.NumberFormat("en");
  for (const value of [0, 7, 999, 1000, 12345, 999_999.5, 1_000_000, 1234567890]) {
    t.equal(grouped(value), format(Math.round(value)));
  }
  t.end();
});
