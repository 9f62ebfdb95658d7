// A Vulkan driver that runs on the processor, so that WebGPU can be tested where there is no GPU.

import { existsSync } from "node:fs";
import { createGpuBackend } from "@fewnorm/backend-gpu";

/** Where Debian's chromium-common puts SwiftShader's description. */
const swiftShader = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Why WebGPU can't be tested here; undefined if it can. To be asked before WebGPU is used in a process. */
export async function whyNoWebGpu(): Promise<string | undefined> {
  if (process.env.VK_ICD_FILENAMES === undefined && existsSync(swiftShader)) {
    process.env.VK_ICD_FILENAMES = swiftShader;
  }
  try {
    const backend = await createGpuBackend({ mode: "webgpu" });
    await backend.dispose();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
