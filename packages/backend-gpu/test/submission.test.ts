// How kernels are told to a GPU.

import test from "tape";
import type { Pipeline } from "../src/gpu-js.ts";
import type { Kernel } from "../src/kernel/kernel.ts";
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
    submitInParts(pipeline, []);
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

test("threads that compute nothing are not begun", (t) => {
  const kernels = [
    { lanes: 1, isLarge: false, groups: [7, 3, 2], expected: [7, 3, 2] },
    { lanes: 1, isLarge: true, groups: [98, 2, 128], expected: [25, 2, 128] },
    { lanes: 16, isLarge: false, groups: [98, 1, 1], expected: [7, 1, 1] },
    { lanes: 4, isLarge: false, groups: [60000, 3, 1], expected: [45000, 1, 1] },
    { lanes: 2, isLarge: false, groups: [60000, 5, 1], expected: [60000, 3, 1] },
  ];
  const passes = kernels.map(({ groups }) => ({ groups }));
  // Kernels of the same text on the same buffers have one pass.
  const [again] = kernels.slice(1);
  const both = [...kernels, again] as unknown as Kernel[];
  const pipelineOf = () => {
    const copies = passes.map((pass) => ({ ...pass }));
    const _executor = {
      _device: { createCommandEncoder() {} },
      _passes: [...copies, copies[1]],
    };
    return { pipeline: { _executor } };
  };
  const groupsOf = ({ pipeline: { _executor } }: ReturnType<typeof pipelineOf>) =>
    _executor._passes.map((pass) => pass?.groups);
  const [ours, other] = [pipelineOf(), pipelineOf()];
  for (const time of ["once", "twice"]) {
    submitInParts(ours as unknown as Pipeline, both);
    t.deepEqual(
      groupsOf(ours),
      [...kernels, again].map((kernel) => kernel?.expected),
      time,
    );
  }
  submitInParts(other as unknown as Pipeline, kernels as unknown as Kernel[]);
  t.deepEqual(groupsOf(other), groupsOf(pipelineOf()), "none, where passes are not the kernels");
  t.end();
});

test("what is no executor for WebGPU is left as it is", (t) => {
  for (const executor of [undefined, null, {}, { _device: 1 }]) {
    const pipeline = { pipeline: { _executor: executor } };
    submitInParts(pipeline as unknown as Pipeline, []);
    t.deepEqual(pipeline, { pipeline: { _executor: executor } });
  }
  t.end();
});
