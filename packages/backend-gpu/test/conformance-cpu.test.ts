// The suite in plain JavaScript.

import { conformance } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import test from "tape";

conformance(test, "gpu cpu", () => createGpuBackend({ mode: "cpu" }), {
  oracle: () => createReferenceBackend(),
});
