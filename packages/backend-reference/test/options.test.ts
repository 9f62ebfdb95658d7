// What plain JavaScript passes where types refuse nothing.

import { createReferenceBackend } from "@fewnorm/backend-reference";
import test from "tape";

test("options that are none, or are misspelt, are refused", (t) => {
  const make = (options: unknown) => () => createReferenceBackend(options as never);
  t.throws(make("float32"), /createReferenceBackend: the options are "float32"; .*precision/);
  t.throws(make({ dtype: "float32" }), /createReferenceBackend: there is no option "dtype"/);
  t.end();
});
