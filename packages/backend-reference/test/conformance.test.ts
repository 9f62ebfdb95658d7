// The reference passes the suite in float32 against itself in float64.

import { conformance } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import test from "tape";

const oracle = () => createReferenceBackend({ precision: "float64" });

conformance(test, "reference float32", () => createReferenceBackend({ precision: "float32" }), {
  oracle,
});
conformance(test, "reference float64", oracle, { oracle });
