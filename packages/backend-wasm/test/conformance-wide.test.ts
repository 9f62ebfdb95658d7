// The engine against the reference: vectors of 8 floats, 1 thread. FEWNORM_WIDE=must fails where there are none.

import { execFileSync } from "node:child_process";
import { conformance } from "@fewnorm/backend";
import { createReferenceBackend } from "@fewnorm/backend-reference";
import { createWasmBackend } from "@fewnorm/backend-wasm";
import test from "tape";
import { runStep } from "./training-step.ts";

const create = () => createWasmBackend({ threads: 1, simd: "wide" });
const missing = await create().then(
  async (backend) => {
    await backend.dispose();
  },
  (error: Error) => error.message,
);
const skip = missing ?? false;
if (missing !== undefined && process.env.FEWNORM_WIDE === "must") throw new Error(missing);

if (missing === undefined) {
  conformance(test, "wasm, wide SIMD, 1 thread", create, {
    oracle: () => createReferenceBackend({ precision: "float64" }),
  });
} else {
  test("wasm, wide SIMD: the whole suite", { skip }, () => {});
}

test("wide SIMD gives the bits of relaxed SIMD", { skip }, async (t) => {
  for (const threads of [1, 3]) {
    const { results } = await runStep(threads, 5, "wide");
    const { results: expected } = await runStep(threads, 5, "relaxed");
    t.deepEqual(results, expected, `${threads} threads`);
  }
  t.end();
});

test("V8 joins the vectors of the kernels that are written for it", { skip }, (t) => {
  const script = `
    const { createWasmBackend } = await import("@fewnorm/backend-wasm");
    await (await createWasmBackend({ threads: 1, simd: "wide" })).dispose();`;
  // On one thread, or its lines would be mixed.
  const flags = ["--trace-wasm-revectorize", "--single-threaded", "--input-type=module"];
  const trace = execFileSync(process.execPath, [...flags, "--eval", script], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const joined = [...trace.matchAll(/Decided? to vectorize, (\d+) revectorizable nodes/g)];
  const nodes = joined.map(([, count]) => Number(count)).filter((count) => count >= 100);
  // Winograd's products, their sums, and its three transforms; the direct convolution and its weight gradient.
  t.ok(nodes.length >= 7, `functions with at least 100 joined operations: ${nodes.join(", ")}`);
  t.end();
});

const wants = "wide SIMD that there is not is an error that says what it takes";
test(wants, { skip: missing === undefined ? "there is wide SIMD" : false }, (t) => {
  t.match(missing ?? "", /wide SIMD .*Node 24 or 26.*"auto"/);
  t.end();
});
