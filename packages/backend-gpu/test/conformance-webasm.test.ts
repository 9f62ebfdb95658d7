// The suite on WebAssembly.

import { conformance } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import test from "tape";

conformance(test, "gpu webasm", () => createGpuBackend({ mode: "webasm" }), {
  oracle: () => createReferenceBackend(),
});
