// State dicts exchanged with PyTorch, as tools/fixtures/state-dict.py made them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { encodeSafetensors, openSafetensors } from "@fewnorm/safetensors";
import { modelMetadata, readStateDict, stateDictOf } from "@fewnorm/train";
import test from "tape";
import { tinyModel, withTrainer } from "./tiny.ts";

/** The tests run from dist/test. */
const fixture = (file: string): Uint8Array =>
  readFileSync(new URL(`../../test/fixtures/${file}`, import.meta.url));

const theirs = () => openSafetensors(fixture("theirs.safetensors"));

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] as number))));

test("a PyTorch state dict loads, and gives PyTorch's logits", async (t) => {
  const file = await theirs();
  t.equal(file.tensors.get("bn1.num_batches_tracked")?.dtype, "I64", "its counter is there");
  const expected = await openSafetensors(fixture("logits.safetensors"));
  const { values: images } = await expected.readFloat32("images");
  const [exact, rounded] = [await expected.read("logits"), await expected.read("logits.float32")];
  const numbers = (tensor: typeof exact) => Array.from(tensor.values, Number);
  for (const precision of ["float64", "float32"] as const) {
    await withTrainer(
      async (trainer) => {
        await trainer.write(await readStateDict(file, trainer.model));
        const off = largestDifference(await trainer.logits(images), numbers(exact));
        const theirs = largestDifference(numbers(rounded), numbers(exact));
        // In float64 only the order of sums of a few dozen numbers differs. In float32: eight times what
        // PyTorch's own float32 differs, and not less than some units in the last place of logits near 1.
        const tolerance = precision === "float64" ? 1e-12 : Math.max(8 * theirs, 5e-7);
        t.ok(off <= tolerance, `${precision}: off by ${off}, PyTorch's float32 by ${theirs}`);
      },
      { precision },
    );
  }
});

test("what we save is what PyTorch's side has read, bit for bit", async (t) => {
  const tensors = await withTrainer(async (trainer) => {
    await trainer.write(await readStateDict(await theirs(), trainer.model));
    return stateDictOf(trainer);
  });
  const bytes = encodeSafetensors(tensors, { metadata: modelMetadata(tinyModel()) });
  t.ok(Buffer.from(bytes).equals(fixture("ours.safetensors")), "the file that Python was given");
  const read = JSON.parse(Buffer.from(fixture("ours.json")).toString("utf8"));
  const written = Object.fromEntries(
    [...tensors].map(([name, { shape, values }]) => {
      const sha256 = createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex");
      return [name, { shape, sha256 }];
    }),
  );
  t.deepEqual(written, read, "the tensors that Python found in it");
});
