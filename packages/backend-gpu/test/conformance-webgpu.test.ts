// The suite on WebGPU.

import { conformance } from "@fewnorm/backend";
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import test from "tape";
import { whyNoWebGpu } from "./software-adapter.ts";

const reason = await whyNoWebGpu();

if (reason === undefined) {
  conformance(test, "gpu webgpu", () => createGpuBackend({ mode: "webgpu" }), {
    oracle: () => createReferenceBackend(),
  });
} else {
  test("gpu webgpu: the whole suite", { skip: reason }, () => {});
}
