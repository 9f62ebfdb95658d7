// The engine against the reference: 2 threads.

import { conformance } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import test from "tape";

conformance(test, "wasm, 2 threads", () => createWasmBackend({ threads: 2 }), {
  oracle: () => createReferenceBackend({ precision: "float64" }),
});
