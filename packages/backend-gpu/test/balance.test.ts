// How WebAssembly's threads share kernels whose rows take more and less work.

import { availableParallelism } from "node:os";
import { sizeOf } from "@fewnorm/tensor";
import test from "tape";
import { createBalance } from "../src/balance.ts";
import { gpuJs, type Pipeline } from "../src/gpu-js.ts";
import type { Lowered } from "../src/lowered.ts";
import { createPlanPipeline, flatten } from "../src/pipeline.ts";
import { plan } from "../src/plan.ts";
import { plainSizes } from "../src/sizes.ts";
import { stepOf } from "./training.ts";

const options = {
  layout: "grid",
  indices: "float",
  sizes: plainSizes,
  mostThreads: 2 ** 10,
  mostRepeats: 0,
  mostArrays: 7,
} as const;

const graph = stepOf("bs:4");
const made = plan(graph, options);
/** Sampled rows begin here. */
const slotsOf = (origin: number) =>
  made.slots.values(new Map(graph.nodes.map((_, id) => [id, Int32Array.of(origin, 0, 0)])));

const pipelineOf = (workerRanges: number[][]) =>
  ({ pipeline: { _executor: { _entry: { workerRanges } } } }) as unknown as Pipeline;

test("threads share the rows that are convolved, whichever these are", (t) => {
  const [workers, batch, sampled] = [3, 20, 4];
  const uneven = [...made.kernels.entries()].filter(
    ([, { partWork }]) => Math.max(0, ...partWork) > 4 * Math.min(...partWork),
  );
  t.equal(uneven.length, 19, "all folded layers, in which other rows are convolved");
  for (const origin of [0, 7, 16, 18]) {
    const ranges = Array.from({ length: workers }, () =>
      made.kernels.flatMap(() => [Number.NaN, Number.NaN]),
    );
    createBalance(pipelineOf(ranges), made.kernels)?.(slotsOf(origin));
    for (const [i, { results }] of uneven) {
      const size = sizeOf(results[0].shape);
      const shares = ranges.map((worker) => worker.slice(2 * i, 2 * i + 2) as [number, number]);
      const bounds = shares.flat();
      t.deepEqual(
        [bounds[0], bounds[2], bounds[4], bounds[5]],
        [0, bounds[1], bounds[3], size],
        `each element of ${results[0].shape} once`,
      );
      t.ok(
        shares.every(([first]) => first % 4 === 0),
        "each begins where vectors do",
      );
      const convolved = shares.map(([first, end]) => {
        let count = 0;
        for (let at = first; at < end; at++) {
          const row = Math.floor(at / (size / batch));
          if ((row - origin + batch) % batch >= sampled) count++;
        }
        return count;
      });
      const share = ((size / batch) * (batch - sampled)) / workers;
      t.ok(Math.max(...convolved) < 1.1 * share, `from ${origin} on: ${convolved}`);
    }
  }
  t.end();
});

test("gpu.js's threads are those, and compute the same", async (t) => {
  const threads = availableParallelism();
  if (threads === 1) {
    t.skip("there is one thread only, which shares nothing");
    t.end();
    return;
  }
  const gpu = new gpuJs.GPU({ mode: "webasm" });
  const ends = made.kernels.map(({ results }) => results[0]);
  const { pipeline, destroy } = createPlanPipeline(gpu, made, ends);
  const run = async (origin: number) => {
    const given = made.arguments.map(({ shape, source }, i) => {
      const values = Float32Array.from({ length: Math.max(1, sizeOf(shape)) }, (_, j) =>
        Math.sin(100 * i + j),
      );
      return source?.from === "slots" ? slotsOf(origin) : values;
    });
    const rows = await pipeline(...given.map((values) => new gpuJs.Input(values, [values.length])));
    return ends.map((of: Lowered, i) => flatten(rows[`r${i}`] as never, sizeOf(of.shape)).slice());
  };
  const before = await run(18);
  t.equal(pipeline.executorKind, "fused-threaded");
  const balance = createBalance(pipeline, made.kernels);
  t.ok(balance, "what is known of gpu.js is there");
  balance?.(slotsOf(18));
  t.deepEqual(await run(18), before);
  await destroy();
  await gpu.destroy();
  t.end();
});

test("what has no such threads is left as it is", (t) => {
  for (const executor of [
    undefined,
    null,
    {},
    { _entry: null },
    { _entry: { workerRanges: [] } },
  ]) {
    const pipeline = { pipeline: { _executor: executor } } as unknown as Pipeline;
    t.equal(createBalance(pipeline, made.kernels), undefined);
  }
  t.equal(createBalance(pipelineOf([[0, 4]]), made.kernels), undefined, "other kernels");
  t.equal(createBalance(pipelineOf([[]]), []), undefined, "no kernels");
  t.end();
});
