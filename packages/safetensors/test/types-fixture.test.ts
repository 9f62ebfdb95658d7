// Every type as PyTorch writes it, made by tools/fixtures/state-dict.py.
import { readFileSync } from "node:fs";
import { openSafetensors } from "@fewnorm/safetensors";
import test from "tape";

test("PyTorch's tensors of every type are read as PyTorch reads them", async (t) => {
  // The tests run from dist/test.
  const bytes = readFileSync(new URL("../../test/fixtures/types.safetensors", import.meta.url));
  const file = await openSafetensors(bytes);
  const types = [...file.tensors.keys()].filter((name) => !name.endsWith(".expected"));
  t.equal(types.length, 10);
  for (const type of types) {
    const { dtype, values } = await file.read(type);
    t.equal(dtype, type);
    const numbers = Array.from(values, Number);
    const expected = Array.from((await file.read(`${type}.expected`)).values, Number);
    t.ok(
      numbers.every((value, i) => Object.is(value, expected[i])),
      `${type}: ${numbers}`,
    );
    if (!/^B?F/.test(type)) continue;
    t.deepEqual((await file.readFloat32(type)).values, Float32Array.from(expected), "as float32");
  }
});
