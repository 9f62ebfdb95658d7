// Numbers that stand in the text of kernels.

import { createGpuBackend } from "@fewnorm/backend-gpu";
import { multiply, trace } from "@fewnorm/tensor";
import test from "tape";

const constants = [0, -0, 0.1, -3, 16777217, 1e-20, 1.5e-30, -2e-38, 1e20, 3e38, 2 ** -126];

for (const mode of ["cpu", "webasm"] as const) {
  test(`constants of every size and sign are exact, ${mode}`, async (t) => {
    const graph = trace((builder) => {
      const x = builder.input("x", [2]);
      for (const [i, value] of constants.entries()) builder.output(`${i}`, multiply(x, value));
    });
    const backend = await createGpuBackend({ mode });
    const fetches = await (await backend.compile(graph)).run({ x: [1, -1] });
    for (const [i, value] of constants.entries()) {
      const right = Math.fround(value);
      const found = [...(fetches[i]?.data ?? [])];
      t.ok(Object.is(found[0], right) && Object.is(found[1], -right), `${right}: ${found}`);
    }
    await backend.dispose();
  });
}
