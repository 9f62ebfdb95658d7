// Checkpoints as bytes: whole ones come back, all others are refused, whatever is wrong with them.
import { createHash } from "node:crypto";
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

/** A copy with `change` applied, and the checksum made to fit again. */
function forged(bytes: Uint8Array, change: (bytes: Uint8Array, view: DataView) => void) {
  const copy = bytes.slice();
  change(copy, new DataView(copy.buffer));
  copy.set(createHash("sha256").update(copy.subarray(40)).digest(), 8);
  return copy;
}

/** The bytes with another header of the same length. */
function withHeader(bytes: Uint8Array, change: (json: string) => string) {
  return forged(bytes, (copy, view) => {
    const length = view.getUint32(44, true);
    const json = new TextDecoder().decode(copy.subarray(56, 56 + length));
    const changed = new TextEncoder().encode(change(json).trimEnd());
    copy.fill(0x20, 56, 56 + length);
    copy.set(changed, 56);
  });
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
    if (!/^decodeCheckpoint: F (is empty|is cut off|has \d+ bytes, but says)/.test(message)) {
      passed.push(`${length}: ${message}`);
    }
  }
  t.deepEqual(passed, []);
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  t.match(await refusal(longer), /bytes, but says/);
});

test("a checkpoint with any one byte changed is refused", async (t) => {
  const bytes = await encodeCheckpoint(checkpoint);
  const passed = [];
  for (let at = 0; at < bytes.length; at++) {
    const copy = bytes.slice();
    copy[at] = (copy[at] as number) ^ (1 << (at % 8));
    if ((await refusal(copy)) === "nothing was refused") passed.push(at);
  }
  t.deepEqual(passed, []);
});

test("foreign files and other versions are named as such", async (t) => {
  const text = new TextEncoder().encode(
    "PK\u0003\u0004 this is another kind of file, long enough to have a header",
  );
  t.match(await refusal(text), /F is not a fewnorm checkpoint/);
  const bytes = await encodeCheckpoint(checkpoint);
  const newer = forged(bytes, (_, view) => view.setUint32(40, 2, true));
  t.match(await refusal(newer), /has version 2 of the format, this is 1/);
});

test("a header that lies is refused, even with a checksum that fits", async (t) => {
  const bytes = await encodeCheckpoint(checkpoint);
  const cases: readonly [string, (json: string) => string, RegExp][] = [
    ["offset", (json) => json.replace('"offset":4', '"offset":8'), /"a.weight" begins at 8/],
    ["size", (json) => json.replace("[2,3]", "[9,9]"), /begins at 4 and has 81 values/],
    ["fewer", (json) => json.replace("[2,3]", "[2,2]"), /holds 8 bytes that belong to no tensor/],
    ["huge", (json) => json.replace("[2,3]", "[9e9,9e9]").replace("0.5", ".5"), /cannot be used/],
    ["no shape", (json) => json.replace("[2,3]", "[0,3]"), /tensors\.1\.shape\.0/],
    ["twice", (json) => json.replace("a.weight", "scalar"), /holds "scalar" twice/],
    ["step", (json) => json.replace('"step":12', '"step":-1'), /step/],
    ["kind", (json) => json.replace("false", "null "), /settings/],
    ["JSON", (json) => json.replace("{", "["), /cannot be used/],
  ];
  for (const [name, change, expected] of cases) {
    t.match(await refusal(withHeader(bytes, change)), expected, name);
  }
  const longHeader = forged(bytes, (_, view) => {
    view.setUint32(44, view.getUint32(44, true) + 4, true);
    view.setBigUint64(48, view.getBigUint64(48, true) - 4n, true);
  });
  t.match(await refusal(longHeader), /header that cannot be used/, "length of the header");
});

test("whatever the bytes are, one line or a checkpoint comes out", async (t) => {
  const bytes = await encodeCheckpoint(checkpoint);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 40, max: bytes.length - 1 }),
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      async (at, noise) => {
        const copy = forged(bytes, (raw) => {
          raw.set(noise.subarray(0, raw.length - at), at);
        });
        const message = await refusal(copy);
        if (message.includes("\n")) throw new Error(`more than one line: ${message}`);
      },
    ),
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
  t.end();
});
