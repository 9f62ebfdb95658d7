// Checkpoints as bytes: whole ones come back, all others are refused, whatever is wrong with them.
import { createHash } from "node:crypto";
import { encodeSafetensors, openSafetensors } from "@fewnorm/safetensors";
import {
  type Checkpoint,
  checkCheckpoint,
  decodeCheckpoint,
  encodeCheckpoint,
} from "@fewnorm/train";
import fc from "fast-check";
import test from "tape";

const checkpoint: Checkpoint = {
  step: 12,
  settings: { model: "tiny", batch: 4, augment: false, "a.b": "μ" },
  notes: { threads: 2 },
  progress: {
    epoch: { count: 8, loss: 0.1 + 0.2, correct: 3 },
    trainingLoss: 1 / 3,
    evaluation: { step: 10, loss: 2.25, accuracy: 0.5, count: 10 },
  },
  tensors: new Map([
    ["scalar", { shape: [], values: Float32Array.of(-0) }],
    ["a.weight", { shape: [2, 3], values: Float32Array.of(1, 1e-45, -3.4e38, 0.1, 5, 6) }],
  ]),
};

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await decodeCheckpoint(bytes, "F");
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was refused";
}

const hash = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** A file with this content beside the checkpoint's tensors, and a checksum that fits. */
function forged(content: string, tensors = checkpoint.tensors): Uint8Array {
  const encode = (digest: string) =>
    encodeSafetensors(tensors, {
      metadata: { format: "pt", "fewnorm.checkpoint": content, "fewnorm.sha256": digest },
    });
  const bytes = encode("0".repeat(64));
  const header = bytes.subarray(8, 8 + new DataView(bytes.buffer).getUint32(0, true));
  const parts = [...tensors.values()].map(({ values }) => hash(new Uint8Array(values.buffer)));
  return encode(hash(Buffer.concat([hash(header), ...parts])).toString("hex"));
}

/** What the checkpoint says beside its tensors. */
async function contentOf(bytes: Uint8Array): Promise<string> {
  return (await openSafetensors(bytes)).metadata.get("fewnorm.checkpoint") ?? "";
}

test("a checkpoint comes back bit for bit", async (t) => {
  const bytes = await encodeCheckpoint(checkpoint);
  const back = await decodeCheckpoint(bytes);
  t.deepEqual(back, checkpoint);
  t.ok(Object.is(back.tensors.get("scalar")?.values[0], -0), "negative zero");
  t.deepEqual(await encodeCheckpoint(back), bytes);
  // Not every reader hands over bytes that begin where their buffer does.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  t.deepEqual(await decodeCheckpoint(shifted.subarray(3)), checkpoint);
});

test("an evaluation that overflowed does not spoil its checkpoint", async (t) => {
  const evaluation = { step: 1, loss: Number.POSITIVE_INFINITY, accuracy: 0.1, count: 10 };
  const progress = { ...checkpoint.progress, evaluation };
  const back = await decodeCheckpoint(await encodeCheckpoint({ ...checkpoint, progress }));
  t.ok(Number.isNaN(back.progress.evaluation?.loss), "the loss is not a number");
  t.equal(back.progress.evaluation?.accuracy, 0.1);
});

test("a checkpoint cut off anywhere is refused", async (t) => {
  const bytes = await encodeCheckpoint(checkpoint);
  const passed = [];
  for (let length = 0; length < bytes.length; length++) {
    const message = await refusal(bytes.subarray(0, length));
    if (!/^openSafetensors: F has \d+ bytes/.test(message)) passed.push(`${length}: ${message}`);
  }
  t.deepEqual(passed, []);
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  t.match(await refusal(longer), /it holds bytes of no tensor/);
});

test("a checkpoint with any one bit changed is refused", async (t) => {
  const bytes = await encodeCheckpoint(checkpoint);
  const passed = [];
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    if ((await refusal(copy)) === "nothing was refused") passed.push(bit);
  }
  t.deepEqual(passed, []);
});

test("foreign files and other versions are named as such", async (t) => {
  const text = new TextEncoder().encode("this is another kind of file, long enough for a header");
  t.match(
    await refusal(text),
    /^openSafetensors: F has 54 bytes, but says .* no safetensors file$/,
  );
  const weights = encodeSafetensors(checkpoint.tensors);
  t.match(await refusal(weights), /^decodeCheckpoint: F is not a fewnorm checkpoint/);
  const content = await contentOf(await encodeCheckpoint(checkpoint));
  t.deepEqual(forged(content), await encodeCheckpoint(checkpoint), "a forgery is as good");
  const newer = forged(content.replace('"version":1', '"version":2'));
  t.match(await refusal(newer), /version: another version of fewnorm wrote it/);
});

test("what lies is refused, even with a checksum that fits", async (t) => {
  const content = await contentOf(await encodeCheckpoint(checkpoint));
  const cases: readonly [string, (json: string) => string, RegExp][] = [
    ["step", (json) => json.replace('"step":12', '"step":-1'), /step/],
    ["kind", (json) => json.replace("false", "null"), /settings/],
    ["accuracy", (json) => json.replace("0.5", "1.5"), /progress\.evaluation\.accuracy/],
    ["JSON", (json) => json.replace("{", "["), /cannot be used/],
    ["nothing", () => "", /cannot be used/],
  ];
  for (const [name, change, expected] of cases) {
    t.match(await refusal(forged(change(content))), expected, name);
  }
  const bytes = await encodeCheckpoint(checkpoint);
  const integers = Buffer.from(bytes).toString("latin1").replace('"F32"', '"I32"');
  t.match(await refusal(Buffer.from(integers, "latin1")), /"scalar" as I32/);
});

test("whatever the content is, one line or a checkpoint comes out", async (t) => {
  const content = await contentOf(await encodeCheckpoint(checkpoint));
  await fc.assert(
    fc.asyncProperty(fc.nat(content.length), fc.string(), async (at, noise) => {
      const message = await refusal(forged(content.slice(0, at) + noise + content.slice(at + 4)));
      if (message.includes("\n")) throw new Error(`more than one line: ${message}`);
    }),
    { seed: 4, numRuns: 500 },
  );
  t.pass("no other error");
});

test("checkCheckpoint lists what differs", (t) => {
  const initialize = () => new Float32Array(0);
  const state = (name: string, shape: number[]) =>
    ({ name, shape, kind: "parameter", initialize }) as const;
  const { settings } = checkpoint;
  const good = [state("scalar", []), state("a.weight", [2, 3])];
  t.doesNotThrow(() => checkCheckpoint(checkpoint, { states: good, settings }));
  t.throws(
    () => checkCheckpoint(checkpoint, { states: good, settings: { ...settings, batch: 8 } }, "F"),
    /^Error: resume: F belongs to another training \(batch is 4 there, 8 here\); use the same/,
  );
  const other = [state("a.weight", [3, 2]), state("b.weight", [1])];
  t.throws(
    () => checkCheckpoint(checkpoint, { states: other, settings }, "F"),
    /^Error: resume: F is of another model \(missing: b.weight; not expected: scalar; a.weight is \[2, 3\] there, \[3, 2\] here\)/,
  );
  const many = Array.from({ length: 9 }, (_, i) => state(`p${i}`, [1]));
  t.throws(
    () => checkCheckpoint(checkpoint, { states: [...good, ...many], settings }),
    /missing: p0, p1, p2, p3, p4 and 4 more\)/,
  );
  const name = "bn.running_var";
  const negative = new Map([[name, { shape: [2], values: Float32Array.of(1, -2) }]]);
  const expected = { states: [state(name, [2])], settings };
  t.throws(
    () => checkCheckpoint({ ...checkpoint, tensors: negative }, expected, "F"),
    /^Error: resume: F has -2 in channel 1 of "bn\.running_var", where 0 or more must be/,
  );
  t.end();
});
