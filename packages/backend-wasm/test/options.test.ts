// What plain JavaScript passes where types refuse nothing.

import { createWasmBackend } from "@fewnorm/backend-wasm";
import test from "tape";

test("options that are none, or are misspelt, are refused", async (t) => {
  const cases: [unknown, RegExp][] = [
    [2, /createWasmBackend: the options are 2; .*threads, simd/],
    [null, /createWasmBackend: the options are null/],
    [{ thread: 2 }, /createWasmBackend: there is no option "thread"/],
  ];
  for (const [options, message] of cases) {
    const error = await createWasmBackend(options as never).catch((reason: unknown) => reason);
    t.match(String(error), message);
    t.ok(error instanceof TypeError);
  }
  t.end();
});
