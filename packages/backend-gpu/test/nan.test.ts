// What is not a number stays visible.
import { createGpuBackend } from "@fewnorm/backend-gpu";
import { maxPool, trace } from "@fewnorm/tensor";
import test from "tape";

for (const mode of ["cpu", "webasm"] as const) {
  test(`max pooling of NaN is NaN, ${mode}`, async (t) => {
    const backend = await createGpuBackend({ mode });
    const graph = trace((builder) => {
      const x = builder.input("x", [1, 1, 2, 6]);
      builder.output("y", maxPool(x, { kernel: 2 }));
    });
    const executable = await backend.compile(graph);
    const x = Float32Array.of(1, 2, Number.NaN, 0, 5, 3, 4, 3, 1, 2, Number.NaN, 6);
    const { y } = await executable.run({ x });
    t.deepEqual(Array.from(y?.data ?? []), [4, Number.NaN, Number.NaN]);
    await backend.dispose();
  });
}
