// The engine against the reference: plain SIMD, 1 thread.

import { conformance } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import test from "tape";

conformance(
  test,
  "wasm, plain SIMD, 1 thread",
  () => createWasmBackend({ threads: 1, simd: "plain" }),
  {
    oracle: () => createReferenceBackend({ precision: "float64" }),
  },
);
