// The engine against the reference: relaxed SIMD, 1 thread.

import { conformance } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import test from "tape";

conformance(
  test,
  "wasm, relaxed SIMD, 1 thread",
  () => createWasmBackend({ threads: 1, simd: "relaxed" }),
  {
    oracle: () => createReferenceBackend({ precision: "float64" }),
  },
);
