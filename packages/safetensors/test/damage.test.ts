// Every kind of damage is refused with a line that names it, quickly and before memory is taken for it.
import { openSafetensors } from "@fewnorm/safetensors";
import test from "tape";
import { entry, fileOf } from "./known-bytes.ts";

const refusal = (bytes: Uint8Array): Promise<string> =>
  openSafetensors(bytes, { where: "F" }).then(
    () => "it was opened",
    (error: Error) => error.message,
  );

/** A good file of two tensors, F32 [2] and I64 [1], with its offsets, types and shapes replaced. */
const two = (a = "[0,8]", b = "[8,16]", dtype = "F32", shape = "[2]", data = 16): Uint8Array =>
  fileOf(`{${entry("a", dtype, shape, a)},${entry("b", "I64", "[1]", b)}}`, data);

test("each kind of damage is named", async (t) => {
  t.equal(await refusal(two()), "it was opened", "without damage");
  const header = `{${entry("a", "F32", "[2]", "[0,8]")}}`;
  const cases: Record<string, readonly [Uint8Array, RegExp]> = {
    empty: [new Uint8Array(0), /has 0 bytes, too few/],
    "no header": [new Uint8Array(8), /a header of 0 bytes, too short/],
    "data cut off": [two().subarray(0, -1), /has 15 bytes of data, but its tensors 16; it is cut/],
    "data too long": [two(undefined, undefined, undefined, undefined, 17), /bytes of no tensor/],
    "header cut off": [two().subarray(0, 30), /has 30 bytes, but says that its header alone has/],
    "length beyond the file": [fileOf(header, 8, header.length + 9), /its header alone has/],
    "length too great by one": [fileOf(header, 8, header.length + 1), /is not JSON/],
    "length too small by one": [fileOf(header, 8, header.length - 1), /is not JSON/],
    "the greatest length": [fileOf(header, 8, 2n ** 64n - 1n), /18446744073709551615/],
    "length beyond float64": [fileOf(header, 8, 2n ** 53n + 1n), /9007199254740993/],
    "not UTF-8": [fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/],
    "another format": [fileOf("PK header"), /does not begin with \{/],
    "an array": [fileOf("[]"), /does not begin with \{/],
    "white space first": [fileOf(` ${header}`, 8), /does not begin with \{/],
    "two texts": [fileOf(`${header}{}`, 8), /is not JSON/],
    overlap: [two("[0,8]", "[4,12]", undefined, undefined, 12), /"b" begins at 4, which overlaps/],
    "the same bytes": [
      two("[0,8]", "[0,8]", undefined, undefined, 8),
      /begins at 0, which overlap/,
    ],
    gap: [two("[0,8]", "[12,20]", undefined, undefined, 20), /begins at 12, which leaves a gap/],
    "gap in front": [two("[4,12]", "[12,20]", undefined, undefined, 20), /"a" begins at 4, .*gap/],
    "beyond the data": [two("[0,8]", "[8,16]", "F32", "[2]", 8), /has 8 bytes of data/],
    "end before begin": [two("[8,0]"), /"a" ends at 0, before it begins at 8/],
    "negative offset": [two("[-8,0]"), /no two data_offsets/],
    "three offsets": [two("[0,8,16]"), /no two data_offsets/],
    "huge offsets": [two("[0,9007199254740993]"), /no two data_offsets/],
    "infinite offset": [two("[0,1e999]"), /no two data_offsets/],
    "fraction of an offset": [two("[0,8.5]"), /no two data_offsets/],
    "offset as a fraction": [two("[0,8.0]"), /whole number as a fraction/],
    "shape as a power": [two(undefined, undefined, "F32", "[2E0]"), /whole number as a fraction/],
    "offsets of text": [two('["0","8"]'), /no two data_offsets/],
    "wrong type": [two(undefined, undefined, "F64"), /"a" in 8 bytes; F64 of shape \[2\] has 16/],
    "unknown type": [two(undefined, undefined, "F31"), /"a" as "F31"; types are F32, /],
    "type of the prototype": [two(undefined, undefined, "toString"), /as "toString"; types are/],
    "wrong shape": [two(undefined, undefined, "F32", "[3]"), /F32 of shape \[3\] has 12/],
    "huge shape": [two(undefined, undefined, "F32", "[4294967296,4294967296]"), /too large/],
    "huge and nothing": [two("[0,0]", "[0,8]", "F32", "[1e300,0]", 8), /no shape of whole numbers/],
    "negative shape": [two(undefined, undefined, "F32", "[-1,-2]"), /no shape of whole numbers/],
    "minus zero": [two("[0,0]", "[0,8]", "F32", "[-0]", 8), /no shape of whole numbers/],
    "no shape": [two(undefined, undefined, "F32", "null"), /no shape of whole numbers/],
    "an unknown field": [
      fileOf(header.replace('"dtype"', '"x":0,"dtype"'), 8),
      /unknown field, "x"/,
    ],
    "no fields": [fileOf('{"a":{}}'), /holds "a" as undefined/],
    "no description": [fileOf('{"a":[0]}'), /no description of "a"/],
    "half a character": [
      fileOf(`{${entry("a", "U8", "[0]", "[0,0]").replace("a", "\\ud800")}}`),
      /Unicode/,
    ],
    "metadata of numbers": [
      fileOf('{"__metadata__":{"a":1}}'),
      /metadata "a" that is not a string/,
    ],
    "metadata with half a character": [
      fileOf('{"__metadata__":{"a":"\\ud800"}}'),
      /metadata "a" that is not Unicode/,
    ],
    "metadata of text": [fileOf('{"__metadata__":"a"}'), /__metadata__ that is not an object/],
    "a name twice": [
      fileOf(`{${[1, 2].map(() => entry("a", "U8", "[1]", "[0,1]")).join()}}`, 1),
      /holds a name twice/,
    ],
    "an empty tensor twice": [
      fileOf(`{${[1, 2].map(() => entry("a", "U8", "[0]", "[0,0]")).join()}}`),
      /twice/,
    ],
    "a field twice": [fileOf(header.replace('"dtype"', '"dtype":"F32","dtype"'), 8), /twice/],
    "metadata twice": [fileOf('{"__metadata__":{},"__metadata__":{}}'), /twice/],
    "a key twice": [fileOf('{"__metadata__":{"a":"1","a":"1"}}'), /twice/],
    "one name in two spellings": [
      fileOf(
        `{${entry("a", "U8", "[0]", "[0,0]")},${entry("a", "U8", "[0]", "[0,0]").replace("a", "\\u0061")}}`,
      ),
      /twice/,
    ],
    nested: [fileOf(`{"a":${"[".repeat(1e6)}${"]".repeat(1e6)}}`), /nested 1000001 deep/],
  };
  for (const [name, [bytes, expected]] of Object.entries(cases)) {
    const message = await refusal(bytes);
    t.match(message, expected, name);
    if (!/^openSafetensors: F [^\n]{1,300}$/.test(message))
      t.fail(`not one short line: ${message}`);
  }
});

test("a file cut off anywhere is refused", async (t) => {
  const bytes = two();
  const passed: number[] = [];
  for (let length = 0; length < bytes.length; length++) {
    if ((await refusal(bytes.subarray(0, length))) === "it was opened") passed.push(length);
  }
  t.deepEqual(passed, []);
});

test("huge claims are refused before they cost memory or time", async (t) => {
  // A source that pretends to be large: what is read of it counts.
  let read = 0;
  const pretended = (start: Uint8Array, size: number) => ({
    size,
    async readInto(target: Uint8Array, position: number) {
      read += target.length;
      target.set(start.subarray(position, position + target.length));
    },
  });
  const open = (start: Uint8Array, size: number) =>
    openSafetensors(pretended(start, size)).then(
      () => "it was opened",
      (error: Error) => error.message,
    );
  const million = 55_000_000;
  t.match(await open(fileOf("", 0, million), 1e12), /has a header of 55000000 bytes; 16777216 are/);
  t.equal(read, 8, "of a million tensors, the length was read");

  const names = Array.from({ length: 250_000 }, (_, i) => entry(`${i}`, "U8", "[0]", "[0,0]"));
  t.match(await refusal(fileOf(`{${names.join().slice(0, 16e6)}`)), /100000 tensors are allowed/);

  const more = names.slice(0, 100_001).join();
  t.match(await refusal(fileOf(`{${more}}`)), /holds 100001 tensors and 0 strings; 100000 tensors/);
  const strings = Array.from({ length: 100_001 }, (_, i) => `"${i}":""`);
  const metadata = `{"__metadata__":{${strings}}}`;
  t.match(await refusal(fileOf(metadata)), /holds 0 tensors and 100001 strings; .* 100000 strings/);

  const heap = process.memoryUsage().arrayBuffers;
  const huge = `{${entry("a", "F32", "[1099511627776]", "[0,4398046511104]")}}`;
  t.match(await refusal(fileOf(huge, 8)), /has 8 bytes of data, but its tensors 4398046511104/);
  t.ok(process.memoryUsage().arrayBuffers - heap < 1e6, "no memory was taken for 4 TiB");
});
