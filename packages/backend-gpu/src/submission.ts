// How a pipeline's kernels are submitted to WebGPU. gpu.js tells the device of them all and only then lets it begin, and
// begins a pass for each. Here it begins with the first ones while it is told of the next, in few passes, and leaves out
// threads that compute nothing. That takes members of gpu.js that are not documented: where they are not what is expected,
// its own way stays.

import type { Pipeline } from "./gpu-js.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { workgroupsOf } from "./kernel/workgroups.ts";

/** Kernels of the first submission and of each later one. A submission costs about as much as some kernels. */
const KERNELS = { first: 8, later: 32 } as const;

interface Pass {
  setPipeline(pipeline: unknown): void;
  setBindGroup(index: number, group: unknown): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
  end(): void;
}

interface Encoder {
  beginComputePass(): Pass;
  copyBufferToBuffer(...parameters: readonly unknown[]): void;
  finish(): unknown;
}

interface Device {
  readonly queue: { submit(commands: readonly unknown[]): void };
  createCommandEncoder(): Encoder;
}

interface PassRecord {
  groups: readonly number[];
}

/** Those whose workgroups have been counted. Kernels of the same text on the same buffers have one for all. */
const counted = new WeakSet<PassRecord>();

interface Executor {
  _device?: unknown;
  readonly _passes?: readonly PassRecord[];
}

/** Lets a pipeline of these kernels, which has run once, submit them in parts, where its executor is one for WebGPU. */
export function submitInParts(pipeline: Pipeline, kernels: readonly Kernel[]): void {
  const { _executor: executor } =
    (pipeline as { pipeline?: { _executor?: Executor | null } }).pipeline ?? {};
  const device = executor?._device as Device | undefined;
  if (executor == null || typeof device?.createCommandEncoder !== "function") return;
  const { _passes: passes = [] } = executor;
  if (passes.length === kernels.length) {
    for (const [i, pass] of passes.entries()) {
      if (counted.has(pass)) continue;
      counted.add(pass);
      pass.groups = workgroupsOf(kernels[i] as Kernel, pass.groups);
    }
  }
  executor._device = {
    queue: device.queue,
    createCommandEncoder: () => createEncoder(device),
  };
}

/** One command encoder to whoever writes to it, which is many. */
function createEncoder(device: Device): Encoder {
  let encoder = device.createCommandEncoder();
  let pass: Pass | undefined;
  let room: number = KERNELS.first;
  const endPass = () => {
    pass?.end();
    pass = undefined;
  };
  const open = (): Pass => {
    pass ??= encoder.beginComputePass();
    return pass;
  };
  const shared: Pass = {
    setPipeline: (pipeline) => open().setPipeline(pipeline),
    setBindGroup: (index, group) => open().setBindGroup(index, group),
    dispatchWorkgroups: (x, y, z) => open().dispatchWorkgroups(x, y, z),
    end() {
      if (--room > 0) return;
      endPass();
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
      room = KERNELS.later;
    },
  };
  return {
    beginComputePass: () => shared,
    copyBufferToBuffer(...parameters) {
      endPass();
      encoder.copyBufferToBuffer(...parameters);
    },
    finish() {
      endPass();
      return encoder.finish();
    },
  };
}
