// The engine against the reference: vectors of 8 floats, 1 thread.

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

if (missing === undefined) {
  conformance(test, "wasm, wide SIMD, 1 thread", create, {
    oracle: () => createReferenceBackend({ precision: "float64" }),
  });
} else {
  test("wasm, wide SIMD: the whole suite", { skip: missing }, () => {});
}

test("wide SIMD gives the bits of relaxed SIMD", { skip: missing ?? false }, async (t) => {
  for (const threads of [1, 3]) {
    const { results } = await runStep(threads, 5, "wide");
    const { results: expected } = await runStep(threads, 5, "relaxed");
    t.deepEqual(results, expected, `${threads} threads`);
  }
  t.end();
});

const wants = "wide SIMD that there is not is an error that says what it takes";
test(wants, { skip: missing === undefined ? "there is wide SIMD" : false }, (t) => {
  t.match(missing ?? "", /wide SIMD .*Node 24 or 26.*"auto"/);
  t.end();
});
