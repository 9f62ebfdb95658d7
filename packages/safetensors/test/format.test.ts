// The format: files made by hand are read, what is written has the bytes that the format asks for.
import {
  dtypeNames,
  encodeSafetensors,
  type FloatTensor,
  openSafetensors,
  safetensorsPieces,
} from "@fewnorm/safetensors";
import test from "tape";
import { entry, fileOf } from "./known-bytes.ts";

test("a file made by hand is read", async (t) => {
  const header = `{${entry("b", "F32", "[1,2]", "[4,12]")},"__metadata__":{"format":"pt","__proto__":"x"},${entry("a", "I32", "[]", "[0,4]")}}  `;
  const data = new DataView(new ArrayBuffer(12));
  data.setInt32(0, -2, true);
  data.setFloat32(4, 0.1, true);
  data.setFloat32(8, -0, true);
  const bytes = fileOf(header, new Uint8Array(data.buffer));
  // Neither every reader's bytes begin where their buffer does, nor does every source hold an array.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  for (const source of [bytes, shifted.subarray(3), new Blob([bytes as Uint8Array<ArrayBuffer>])]) {
    const file = await openSafetensors(source);
    t.deepEqual([...file.tensors.keys()], ["a", "b"], "in the order of their bytes");
    t.deepEqual(
      [...file.metadata],
      [
        ["format", "pt"],
        ["__proto__", "x"],
      ],
    );
    t.deepEqual(await file.read("a"), { dtype: "I32", shape: [], values: Int32Array.of(-2) });
    const b = await file.readFloat32("b");
    t.deepEqual(b, { shape: [1, 2], values: Float32Array.of(0.1, -0) });
    t.ok(Object.is(b.values[1], -0), "negative zero");
  }
});

test("an empty tensor may be named behind the one that begins where it does", async (t) => {
  const header = `{${entry("a", "U8", "[2]", "[0,2]")},${entry("b", "F32", "[0]", "[0,0]")}}`;
  const file = await openSafetensors(fileOf(header, [3, 4]));
  t.deepEqual([...file.tensors.keys()], ["b", "a"]);
  t.deepEqual([...(await file.read("a")).values], [3, 4]);
  t.equal((await file.readFloat32("b")).values.length, 0);
});

test("every type is read, floating point as float32", async (t) => {
  const view = new DataView(new ArrayBuffer(8));
  const little = (write: () => void): number[] => {
    write();
    return [...new Uint8Array(view.buffer)];
  };
  const cases: Record<string, [number[], string]> = {
    F64: [little(() => view.setFloat64(0, 0.1, true)), "0.1"],
    F32: [little(() => view.setFloat32(0, 0.5, true)).slice(0, 4), "0.5"],
    // 1.5, the smallest subnormal, -65504, -Infinity
    F16: [[0, 0x3e, 1, 0, 0xff, 0xfb, 0, 0xfc], `1.5,${2 ** -24},-65504,-Infinity`],
    BF16: [[0xc0, 0x3f, 0x80, 0xff], "1.5,-Infinity"],
    I64: [little(() => view.setBigInt64(0, -(2n ** 60n), true)), `${-(2n ** 60n)}`],
    U64: [little(() => view.setBigUint64(0, 2n ** 63n, true)), `${2n ** 63n}`],
    I32: [[0xfe, 255, 255, 255], "-2"],
    U32: [[0xfe, 255, 255, 255], `${2 ** 32 - 2}`],
    I16: [[0xfe, 255], "-2"],
    U16: [[0xfe, 255], "65534"],
    I8: [[0xfe, 3], "-2,3"],
    U8: [[0xfe, 3], "254,3"],
    BOOL: [[1, 0], "1,0"],
  };
  t.deepEqual(Object.keys(cases).sort(), [...dtypeNames].sort(), "all of them");
  for (const [dtype, [data, expected]] of Object.entries(cases)) {
    const count = expected.split(",").length;
    const header = `{${entry("x", dtype, `[${count}]`, `[0,${data.length}]`)}}`;
    const file = await openSafetensors(fileOf(header, data));
    t.equal([...(await file.read("x")).values].join(), expected, dtype);
    if (/^B?F/.test(dtype)) {
      const numbers = expected.split(",").map(Number);
      t.deepEqual((await file.readFloat32("x")).values, Float32Array.from(numbers));
    } else {
      const message = await file.readFloat32("x").catch((error: Error) => error.message);
      t.match(String(message), new RegExp(`holds "x" as ${dtype}, not in floating point`));
    }
  }
});

const tensors = new Map<string, FloatTensor>([
  ["conv.weight", { shape: [1, 2], values: Float32Array.of(1, -0) }],
  ["7", { shape: [], values: Float32Array.of(Number.NaN) }],
  ["", { shape: [0, 3], values: new Float32Array(0) }],
  ["__proto__", { shape: [1], values: Float32Array.of(1e-45) }],
  ['μ " \\ \u0000', { shape: [3], values: Float32Array.of(1, 2, 3) }],
]);

test("what is written has the bytes of the format", async (t) => {
  const [first] = tensors;
  const bytes = encodeSafetensors(new Map([first as [string, FloatTensor]]), {
    metadata: { format: "pt" },
  });
  const json = `{"__metadata__":{"format":"pt"},${entry("conv.weight", "F32", "[1,2]", "[0,8]")}}`;
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
  t.deepEqual(bytes, fileOf(padded, [0, 0, 128, 63, 0, 0, 0, 128]));
});

test("what is written comes back bit for bit, in pieces or whole", async (t) => {
  const metadata = { a: "1", "": "μ" };
  const bytes = encodeSafetensors(tensors, { metadata });
  t.deepEqual(Buffer.concat([...safetensorsPieces(tensors, { metadata })]), Buffer.from(bytes));
  const file = await openSafetensors(bytes);
  t.deepEqual(new Map(file.metadata), new Map(Object.entries(metadata)));
  t.deepEqual([...file.tensors.keys()].sort(), [...tensors.keys()].sort());
  const back = new Map<string, FloatTensor>();
  for (const name of tensors.keys()) back.set(name, await file.readFloat32(name));
  // Bytes, since NaN does not equal itself.
  t.deepEqual(encodeSafetensors(back, { metadata }), bytes);
  t.equal((await openSafetensors(encodeSafetensors(new Map()))).tensors.size, 0, "none at all");
  const none = await file.read("nowhere").catch((error: Error) => error.message);
  t.match(String(none), /^openSafetensors: the file holds no tensor "nowhere"/);
});

test("what is no map of tensors, and what is no file, is refused", async (t) => {
  const encode = (tensors: unknown) => () => encodeSafetensors(tensors as never);
  const values = Float32Array.of(1);
  t.throws(
    encode({ x: { shape: [1], values } }),
    /^TypeError: encodeSafetensors: .* no Map; give a/,
  );
  t.throws(encode(undefined), /^TypeError: encodeSafetensors: tensors is undefined; give a Map/);
  t.throws(
    encode(new Map([["x", values]])),
    /^TypeError: encodeSafetensors: "x" has no shape; give/,
  );
  const open = (file: unknown) => openSafetensors(file as never).then(String, String);
  t.match(
    await open("a.safetensors"),
    /^TypeError: .*the file is "a.safetensors"; .*a path to open/,
  );
  t.match(
    await open(undefined),
    /^TypeError: openSafetensors: the file is neither bytes nor a sou/,
  );
});

test("what could not be read again is not written", (t) => {
  const one = (name: string, tensor: FloatTensor) => () =>
    encodeSafetensors(new Map([[name, tensor]]));
  const values = Float32Array.of(1);
  t.throws(one("__metadata__", { shape: [1], values }), /^RangeError: .*cannot be a tensor's name/);
  t.throws(one("\ud800", { shape: [1], values }), /cannot be a tensor's name/);
  t.throws(one("x", { shape: [2], values }), /"x" has 1 values; its shape \[2\] holds 2/);
  const many = new Map(Array.from({ length: 100_001 }, (_, i) => [`${i}`, { shape: [1], values }]));
  t.throws(() => encodeSafetensors(many), /100001 tensors need/);
  const metadata = Object.fromEntries(Array.from({ length: 100_001 }, (_, i) => [`${i}`, ""]));
  const strings = () => encodeSafetensors(new Map(), { metadata });
  t.throws(strings, /^RangeError: .*metadata have 100001 strings; 100000 are allowed/);
  t.end();
});

test("as much as may be written can be read again", async (t) => {
  const empty = { shape: [0], values: new Float32Array(0) };
  const names = Array.from({ length: 100_000 }, (_, i) => `${i}`);
  const most = new Map(names.map((name) => [name, empty]));
  const read = async (metadata: Record<string, string>) => {
    const file = await openSafetensors(encodeSafetensors(most, { metadata }));
    return [file.tensors.size, file.metadata.size];
  };
  t.deepEqual(await read({ format: "pt" }), [100_000, 1]);
  const strings = Object.fromEntries(names.map((name) => [name, ""]));
  t.deepEqual(await read(strings), [100_000, 100_000]);
});

test("what no reader would take is not written", (t) => {
  const values = new Float32Array(6);
  const three = (tensor: object) => new Map([["a", tensor as FloatTensor]]);
  for (const tensor of [
    { shape: [3], values: [1, 2, 3] },
    { shape: [3], values: new Float64Array(3) },
    { shape: [-2, -3], values },
    { shape: [1.5, 4], values },
  ]) {
    t.throws(() => encodeSafetensors(three(tensor)), /"a" of shape .* Float32Array/);
  }
  for (const metadata of [{ e: 3 }, { e: "\ud800" }, { "\ud800": "e" }]) {
    const options = { metadata: metadata as unknown as Record<string, string> };
    t.throws(() => encodeSafetensors(three({ shape: [6], values }), options), /metadata's/);
  }
  t.end();
});
