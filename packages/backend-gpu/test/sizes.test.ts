// The suite on WebGPU where even the smallest kernels are cut as only large ones are otherwise.

import { conformance } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import test from "tape";
import { backendOf } from "../src/gpu-backend.ts";
import { openEngine } from "../src/modes.ts";
import type { Sizes } from "../src/sizes.ts";
import { whyNoWebGpu } from "./software-adapter.ts";

const smallest: Sizes = {
  busyThreads: 2 ** 17,
  fewestTaps: 1,
  fewestPixels: 3,
  laneElements: 2,
  laneThreads: 1,
  largeThreads: 2,
};

const reason = await whyNoWebGpu();

async function createBackend() {
  const engine = await openEngine("webgpu");
  return backendOf({ ...engine, kernels: { ...engine.kernels, sizes: smallest } });
}

if (reason === undefined) {
  conformance(test, "gpu webgpu with kernels cut small", createBackend, {
    oracle: () => createReferenceBackend(),
  });
} else {
  test("gpu webgpu with kernels cut small: the whole suite", { skip: reason }, () => {});
}
