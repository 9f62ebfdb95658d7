// Loading IDX files and data sets in MNIST's layout, whole and damaged.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { loadIdx, loadMnist, parseIdx } from "@fewnorm/data";
import fc from "fast-check";
import test from "tape";
import { idxFile, mnistFiles, rejects, temporaryFolder, writeFiles } from "./make-files.ts";

test("loadIdx: plain and gzipped", async (t) => {
  const folder = await temporaryFolder(t);
  const bytes = idxFile([2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));
  await writeFiles(folder, { plain: bytes, "packed.gz": gzipSync(bytes), packed: gzipSync(bytes) });
  for (const name of ["plain", "packed.gz", "packed"]) {
    const { dimensions, data } = await loadIdx(join(folder, name));
    t.deepEqual(dimensions, [2, 3], name);
    t.deepEqual([...data], [1, 2, 3, 4, 5, 6], name);
  }
});

test("parseIdx: more of a dimension than 16 bits hold", (t) => {
  const bytes = idxFile([70_000, 1], new Uint8Array(70_000).fill(7, 69_999));
  const { dimensions, data } = parseIdx(bytes, "x");
  t.deepEqual([dimensions, data.length, data[69_999]], [[70_000, 1], 70_000, 7]);
  t.end();
});

test("parseIdx: any array survives, any cut and any extra byte is refused", (t) => {
  const array = fc
    .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 })
    .chain((dimensions) => {
      const size = dimensions.reduce((product, extent) => product * extent, 1);
      return fc.record({
        dimensions: fc.constant(dimensions),
        data: fc.uint8Array({ minLength: size, maxLength: size }),
        cut: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      });
    });
  fc.assert(
    fc.property(array, ({ dimensions, data, cut }) => {
      const bytes = idxFile(dimensions, data);
      const parsed = parseIdx(bytes, "x");
      if (String(parsed.dimensions) !== String(dimensions)) return false;
      if (String(parsed.data) !== String(data)) return false;
      const shorter = bytes.subarray(0, Math.floor(cut * bytes.length));
      const longer = new Uint8Array(bytes.length + 1);
      longer.set(bytes);
      return [shorter, longer].every((damaged) => {
        try {
          parseIdx(damaged, "x");
          return false;
        } catch (error) {
          const { message } = error as Error;
          return message.startsWith("parseIdx: x ") && !message.includes("\n");
        }
      });
    }),
    { seed: 3, numRuns: 300 },
  );
  t.pass("300 arrays");
  t.end();
});

test("parseIdx: random bytes give an error or an array, nothing else", (t) => {
  const start = fc.tuple(
    fc.constant([0, 0]),
    fc.constantFrom(8, 9, 13, 14, 77),
    fc.integer({ min: 0, max: 5 }),
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 40 }), ([zeros, type, rank], rest) => {
      try {
        const { dimensions, data } = parseIdx(Uint8Array.of(...zeros, type, rank, ...rest), "x");
        return dimensions.reduce((product, extent) => product * extent, 1) === data.length;
      } catch (error) {
        return (error as Error).message.startsWith("parseIdx: x ");
      }
    }),
    { seed: 4, numRuns: 500 },
  );
  t.pass("500 files");
  t.end();
});

test("loadIdx: refuses what is wrong, in one line", async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, "x");
  const whole = idxFile([3, 2, 2], new Uint8Array(12));
  const float = Uint8Array.from(whole);
  float[2] = 13;
  const cases: [string, Uint8Array, string][] = [
    ["empty", new Uint8Array(0), "is empty"],
    ["text", new TextEncoder().encode("hello"), "is not an IDX file: it starts with 68 65 6c 6c"],
    ["start", whole.subarray(0, 3), "has 3 bytes, and the header of an IDX file takes 8 or more"],
    ["header", whole.subarray(0, 9), "header of 3 dimensions takes 16"],
    ["cut", whole.subarray(0, 20), "20 bytes, 3×2×2 values and the header take 28; it is cut off"],
    ["none", idxFile([0, 2, 2], new Uint8Array(0)), "holds no values: it is 0×2×2"],
    ["floats", float, "holds float32 values"],
    ["gzip cut", gzipSync(whole).subarray(0, 20), "damaged or cut off"],
  ];
  for (const [what, bytes, pattern] of cases) {
    await writeFile(path, bytes);
    await rejects(t, loadIdx(path), ["loadIdx: ", path, pattern], what);
  }
  await rejects(t, loadIdx(join(folder, "none")), ["cannot read", "ENOENT"], "missing");
});

test("loadMnist: the four files, gzipped or not, under each of their names", async (t) => {
  const folder = await temporaryFolder(t);
  const files = mnistFiles();
  const variants: Record<string, (name: string, bytes: Uint8Array) => [string, Uint8Array]> = {
    plain: (name, bytes) => [name, bytes],
    packed: (name, bytes) => [`${name}.gz`, gzipSync(bytes)],
    dotted: (name, bytes) => [name.replace("-idx", ".idx"), bytes],
    "nested/MNIST/raw": (name, bytes) => [name, bytes],
  };
  for (const [below, rename] of Object.entries(variants)) {
    await writeFiles(
      join(folder, below),
      Object.fromEntries(Object.entries(files).map(([name, bytes]) => rename(name, bytes))),
    );
    const data = await loadMnist(join(folder, below.split("/")[0] as string));
    t.equal(data.name, "mnist", below);
    t.deepEqual(data.shape, [1, 4, 3]);
    t.equal(data.train.count, 6);
    t.equal(data.test.count, 2);
    t.deepEqual([...data.train.labels], [0, 1, 2, 3, 9, 8]);
    t.deepEqual(
      data.train.images,
      Uint8Array.from({ length: 72 }, (_, i) => (i * 5) % 256),
    );
    t.deepEqual(data.classes, Array.from("0123456789"));
  }
  const around = await loadMnist(`${folder}/fashion/../plain`);
  t.equal(around.name, "mnist", "however the path is written");
  const named = await loadMnist(join(folder, "plain"), { name: "fashion" });
  t.equal(named.classes[9], "Ankle boot", "the name decides about the classes' names");
});

test("loadMnist: refuses what is wrong, in one line", async (t) => {
  const cases: [string, Record<string, Uint8Array | undefined>, string[]][] = [
    [
      "missing",
      { "t10k-labels-idx1-ubyte": undefined },
      ["the test labels are missing", "t10k-lab"],
    ],
    [
      "counts",
      { "train-labels-idx1-ubyte": idxFile([5], new Uint8Array(5)) },
      ["5 labels", "6 images"],
    ],
    [
      "label",
      { "t10k-labels-idx1-ubyte": idxFile([2], Uint8Array.of(0, 10)) },
      ["label 10 at image 1", "from 0 to 9"],
    ],
    [
      "rank",
      { "train-images-idx3-ubyte": idxFile([6, 12], new Uint8Array(72)) },
      ["2 dimensions, 6×12; images have 3"],
    ],
    ["sizes", { "t10k-images-idx3-ubyte": idxFile([2, 3, 3], new Uint8Array(18)) }, ["3×3", "4×3"]],
  ];
  for (const [what, changes, patterns] of cases) {
    const folder = await temporaryFolder(t);
    const files = Object.entries({ ...mnistFiles(), ...changes }).filter(([, bytes]) => bytes);
    await writeFiles(folder, Object.fromEntries(files) as Record<string, Uint8Array>);
    await rejects(t, loadMnist(folder), ["loadMnist: ", folder, ...patterns], what);
  }
  const folder = await temporaryFolder(t);
  await rejects(t, loadMnist(folder), ["holds none of train-images-idx3-ubyte"], "empty folder");
  await rejects(t, loadMnist(join(folder, "no")), ["holds none of"], "no folder");
});
