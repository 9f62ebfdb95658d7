// How kernels are told to a GPU.

import test from "tape";
import type { Pipeline } from "../src/gpu-js.ts";
import { submitInParts } from "../src/submission.ts";

/** A device that notes what it is told, and a pipeline whose executor runs so many kernels on it as gpu.js does. */
function standIn(kernels: number) {
  const told: string[] = [];
  const submissions: string[][] = [];
  const device = {
    queue: {
      submit: (commands: string[][]) => submissions.push(...commands),
    },
    createCommandEncoder() {
      const commands: string[] = [];
      return {
        beginComputePass() {
          commands.push("begin");
          return {
            setPipeline: (name: string) => commands.push(name),
            setBindGroup() {},
            dispatchWorkgroups() {},
            end: () => commands.push("end"),
          };
        },
        copyBufferToBuffer: () => commands.push("copy"),
        finish: () => commands,
      };
    },
  };
  const executor = { _device: device };
  const run = () => {
    const encoder = executor._device.createCommandEncoder();
    for (let i = 0; i < kernels; i++) {
      const pass = encoder.beginComputePass();
      pass.setPipeline(`kernel ${i}`);
      pass.setBindGroup();
      pass.dispatchWorkgroups();
      pass.end();
      told.push(`kernel ${i}`);
    }
    encoder.copyBufferToBuffer();
    executor._device.queue.submit([encoder.finish()]);
  };
  return {
    pipeline: { pipeline: { _executor: executor } } as unknown as Pipeline,
    run,
    told,
    submissions,
  };
}

test("a GPU is told of many kernels in parts, each once and in order, and of copies last", (t) => {
  for (const kernels of [1, 8, 9, 40, 41, 250]) {
    const { pipeline, run, told, submissions } = standIn(kernels);
    submitInParts(pipeline);
    run();
    const commands = submissions.flat();
    t.deepEqual(
      commands.filter((command) => command.startsWith("kernel")),
      told,
      `${kernels} kernels`,
    );
    t.equal(submissions.length, 1 + (kernels >= 8 ? 1 + Math.floor((kernels - 8) / 32) : 0));
    t.equal(commands.at(-1), "copy");
    const passes = submissions.map((part) => part.filter((command) => command === "begin").length);
    t.ok(
      passes.every((count) => count <= 1),
      "a pass in each",
    );
    t.equal(
      commands.filter((command) => command === "end").length,
      passes.reduce((sum, count) => sum + count, 0),
      "and all end",
    );
  }
  t.end();
});

test("what is no executor for WebGPU is left as it is", (t) => {
  for (const executor of [undefined, null, {}, { _device: 1 }]) {
    const pipeline = { pipeline: { _executor: executor } };
    submitInParts(pipeline as unknown as Pipeline);
    t.deepEqual(pipeline, { pipeline: { _executor: executor } });
  }
  t.end();
});
