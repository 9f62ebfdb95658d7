// Thousands of damaged files: each is refused in a line, or is consistent by a second, naive look at its bytes.
import { encodeSafetensors, openSafetensors } from "@fewnorm/safetensors";
import fc from "fast-check";
import test from "tape";
import { fileOf } from "./known-bytes.ts";

/** Files of each of the four kinds. */
const runs = 3_000;

type Fields = { dtype: unknown; shape: unknown; data_offsets: unknown };
type Table = Record<string, Fields>;

const original = encodeSafetensors(
  new Map([
    ["conv1.weight", { shape: [4, 3], values: new Float32Array(12).fill(0.5) }],
    ["bn1.running_mean", { shape: [4], values: Float32Array.of(1, 2, 3, 4) }],
    ["scalar", { shape: [], values: Float32Array.of(7) }],
    ["fc.bias", { shape: [2, 1], values: Float32Array.of(-1, 1) }],
  ]),
  { metadata: { format: "pt" } },
);
const headerBytes = Number(new DataView(original.buffer).getBigUint64(0, true));
const header = new TextDecoder().decode(original.subarray(8, 8 + headerBytes));
const data = original.subarray(8 + headerBytes);
const widths: Record<string, number> = {
  ...{ BOOL: 1, I8: 1, U8: 1, I16: 2, U16: 2, F16: 2, BF16: 2 },
  ...{ I32: 4, U32: 4, F32: 4, I64: 8, U64: 8, F64: 8 },
};

/** Whether each byte behind the header belongs to one tensor, whose type and shape fit: by painting them. */
function consistent(bytes: Uint8Array): boolean {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const json = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length));
  const painted = new Uint8Array(bytes.length - 8 - length);
  for (const [name, fields] of Object.entries(JSON.parse(json) as Table)) {
    if (name === "__metadata__") continue;
    const [begin, end] = fields.data_offsets as [number, number];
    const shape = fields.shape as number[];
    const width = widths[fields.dtype as string] as number;
    if (end > painted.length) return false;
    if (shape.reduce((size, extent) => size * extent, width) !== end - begin) return false;
    for (let at = begin; at < end; at++) painted[at] = (painted[at] as number) + 1;
  }
  return painted.every((times) => times === 1);
}

/** Opens and reads everything. @returns whether it was accepted; @throws what must not happen. */
async function digest(bytes: Uint8Array): Promise<boolean> {
  let file: Awaited<ReturnType<typeof openSafetensors>>;
  try {
    file = await openSafetensors(bytes, { where: "F" });
  } catch (error) {
    const failure = error as Error;
    const ours =
      failure.constructor === Error && /^openSafetensors: F [^\n]{1,400}$/.test(failure.message);
    if (!ours) throw error;
    return false;
  }
  if (!consistent(bytes)) throw new Error("an inconsistent file was accepted");
  let read = 0;
  for (const [name, info] of file.tensors) {
    const { values, shape } = await file.read(name);
    if (values.length !== shape.reduce((size, extent) => size * extent, 1)) {
      throw new Error(`${name} has ${values.length} values`);
    }
    read += info.end - info.begin;
  }
  if (read > bytes.length) throw new Error("more was read than there is");
  return true;
}

/** Runs `runs` mutations and says how many were accepted. */
async function fuzz(files: fc.Arbitrary<Uint8Array>, seed: number): Promise<number> {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(files, async (bytes) => {
      if (await digest(bytes)) accepted++;
    }),
    { seed, numRuns: runs },
  );
  return accepted;
}

const byte = fc.integer({ min: 0, max: 255 });
/** Mostly in the prefix and the header, where damage matters. */
const place = fc.oneof(
  { weight: 3, arbitrary: fc.nat(8 + headerBytes) },
  { weight: 1, arbitrary: fc.nat(original.length - 1) },
);

test("the file that is damaged is good", async (t) => {
  t.ok(await digest(original));
  t.notOk(consistent(fileOf(header.replace("[0,48]", "[0,44]"), data)), "the naive look sees");
});

test("bytes flipped, inserted and deleted", async (t) => {
  const change = fc.oneof(
    fc.record({ at: place, bits: fc.integer({ min: 1, max: 255 }) }),
    fc.record({ at: place, insert: fc.array(byte, { minLength: 1, maxLength: 9 }) }),
    fc.record({ at: place, remove: fc.integer({ min: 1, max: 9 }) }),
  );
  const files = fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    let bytes = [...original];
    for (const one of changes) {
      if ("bits" in one) bytes[one.at] = ((bytes[one.at] ?? 0) ^ one.bits) & 255;
      else if ("insert" in one) bytes.splice(one.at, 0, ...one.insert);
      else bytes.splice(one.at, one.remove);
      bytes = bytes.slice(0, original.length + 64);
    }
    return Uint8Array.from(bytes, (value) => value ?? 0);
  });
  const accepted = await fuzz(files, 1);
  // A flip in a value or in a name makes another good file; nothing in the format tells.
  t.ok(accepted < runs / 2, `${accepted} of ${runs} are still good, the others are refused`);
});

test("cut off, and with a length that lies", async (t) => {
  const files = fc.oneof(
    fc.nat(original.length - 1).map((length) => original.slice(0, length)),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((stated) => fileOf(header, data, stated)),
    fc
      .integer({ min: 1 - header.length, max: 600 })
      .filter((more) => more !== 0)
      .map((more) => fileOf(header, data, header.length + more)),
  );
  t.equal(await fuzz(files, 2), 0, `none of ${runs} is accepted`);
});

/** A header whose fields are replaced by what cannot be together. */
const number = fc.oneof(
  fc.integer({ min: -9, max: 100 }),
  fc.constantFrom(1e300, 2 ** 53, 2 ** 32, 2 ** 31, 0.5, -0, 1e-9),
);
const anyDtype = fc.oneof(
  fc.constantFrom<unknown>(...Object.keys(widths), "F8_E4M3", "f32", "", null, 4),
  fc.string(),
);
const anyList = fc.oneof(fc.array(number, { maxLength: 4 }), fc.jsonValue());
const names = ["conv1.weight", "bn1.running_mean", "scalar", "fc.bias"];

test("fields of the header replaced", async (t) => {
  const change = fc.record(
    { name: fc.constantFrom(...names), dtype: anyDtype, shape: anyList, data_offsets: anyList },
    { requiredKeys: ["name"] },
  );
  const files = fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const table = JSON.parse(header) as Table;
    for (const { name, ...fields } of changes) Object.assign(table[name] as Fields, fields);
    return fileOf(JSON.stringify(table), data);
  });
  const accepted = await fuzz(files, 3);
  t.ok(accepted < runs / 4, `${accepted} of ${runs} change nothing that matters`);
});

test("offsets that overlap, leave gaps, or go beyond, and names that occur twice", async (t) => {
  // Tilings of the data that are good, until one offset of one tensor moves.
  const files = fc
    .record({
      sizes: fc.array(fc.nat(9), { minLength: 2, maxLength: 9 }),
      which: fc.nat(),
      move: fc.integer({ min: -8, max: 8 }).filter((by) => by !== 0),
      how: fc.constantFrom("begin", "end", "both", "name"),
    })
    .map(({ sizes, which, move, how }) => {
      let at = 0;
      const moved = which % sizes.length;
      const entries = sizes.map((size, i) => {
        let [begin, end] = [at, at + size];
        at = end;
        if (i === moved && how !== "end" && how !== "name") begin += move;
        if (i === moved && how !== "begin" && how !== "name") end += move;
        const name = how === "name" && i === moved ? `t${(i + 1) % sizes.length}` : `t${i}`;
        // Its shape follows, so that only the offsets can tell.
        const shape = Math.max(0, end - begin);
        return `"${name}":{"dtype":"U8","shape":[${shape}],"data_offsets":[${begin},${end}]}`;
      });
      return fileOf(`{${entries.join()}}`, at);
    });
  const accepted = await fuzz(files, 4);
  // An empty tensor may lie anywhere between two others: moved there, the file is a good one.
  t.ok(accepted < runs / 50, `${accepted} of ${runs} are good tilings all the same`);
});
