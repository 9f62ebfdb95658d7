// A pool of threads does not keep the process alive.

import { spawnSync } from "node:child_process";
import test from "tape";

test("a process ends with an undisposed backend", (t) => {
  const program = `
    import { createWasmBackend } from "@fewnorm/backend-wasm";
    import { multiply, trace } from "@fewnorm/tensor";
    const backend = await createWasmBackend({ threads: 3 });
    const graph = trace((builder) => {
      const x = builder.input("x", [2]);
      builder.output("y", multiply(x, x));
    });
    const executable = await backend.compile(graph);
    const { y } = await executable.run({ x: [2, 3] });
    console.log(y.data.join());
  `;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { cwd: import.meta.dirname, encoding: "utf8", timeout: 60_000 },
  );
  t.equal(status, 0, `it ends by itself ${stderr}`);
  t.equal(stdout.trim(), "4,9", "with its result");
  t.end();
});
