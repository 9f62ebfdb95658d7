// Loading CIFAR-10's binary layout, from folders and archives, whole and damaged.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { loadCifar10 } from "@fewnorm/data";
import fc from "fast-check";
import { packTar } from "modern-tar";
import test from "tape";
import {
  cifarArchive,
  cifarClasses,
  cifarFiles,
  cifarNames,
  cifarPixel,
  cifarRecords,
  recordSize,
  rejects,
  temporaryFolder,
  writeFiles,
} from "./make-files.ts";

test("loadCifar10: a folder gives every byte in its place", async (t) => {
  const folder = await temporaryFolder(t);
  const files = cifarFiles(2);
  files["data_batch_3.bin"] = cifarRecords(2, 5);
  await writeFiles(folder, files);
  const data = await loadCifar10(folder);
  t.equal(data.name, "cifar10");
  t.deepEqual(data.classes, cifarClasses);
  t.deepEqual(data.shape, [3, 32, 32]);
  t.equal(data.train.count, 2 + 2 + 5 + 2 + 2);
  t.equal(data.test.count, 2);
  t.deepEqual([...data.train.labels], [0, 1, 1, 2, 2, 3, 4, 5, 6, 3, 4, 4, 5]);
  t.deepEqual([...data.test.labels], [5, 6]);
  const order = [2, 2, 5, 2, 2].flatMap((count, file) =>
    Array.from({ length: count }, (_, record) => [file, record] as const),
  );
  const wrong = order.filter(([file, record], image) => {
    const pixels = data.train.images.subarray(image * 3072, image * 3072 + 3072);
    return !pixels.every((value, i) => value === cifarPixel(file, record, i));
  });
  t.equal(wrong.length, 0, "all pixels");
});

test("loadCifar10: mean and deviation of each channel, by their definition", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(folder, cifarFiles(3));
  const { train, mean, deviation } = await loadCifar10(folder);
  for (const channel of [0, 1, 2]) {
    const values: number[] = [];
    for (let image = 0; image < train.count; image++) {
      const begin = image * 3072 + channel * 1024;
      values.push(...Array.from(train.images.subarray(begin, begin + 1024), (x) => x / 255));
    }
    const μ = values.reduce((sum, x) => sum + x, 0) / values.length;
    const σ = Math.sqrt(values.reduce((sum, x) => sum + (x - μ) ** 2, 0) / values.length);
    // 15,360 float64 additions of numbers below 1: the sums' relative error is below 15,360 · 2^-53 = 2e-12.
    t.ok(Math.abs((mean[channel] as number) - μ) < 1e-11, `mean ${channel}`);
    t.ok(Math.abs((deviation[channel] as number) - σ) < 1e-11, `deviation ${channel}`);
  }
});

test("loadCifar10: a folder around it, the archive, and a folder around that give the same", async (t) => {
  const folder = await temporaryFolder(t);
  const files = cifarFiles(2);
  const archive = await cifarArchive(files);
  await writeFiles(join(folder, "a", "cifar-10-batches-bin"), files);
  await writeFiles(folder, { "b/some-name.tgz": archive, "c/cifar-10-binary.tar.gz": archive });
  const expected = await loadCifar10(join(folder, "a", "cifar-10-batches-bin"));
  for (const path of ["a", "b/some-name.tgz", "c"]) {
    t.deepEqual(await loadCifar10(join(folder, path)), expected, path);
  }
});

test("loadCifar10: the official class names stand in for a missing batches.meta.txt", async (t) => {
  const folder = await temporaryFolder(t);
  const { "batches.meta.txt": _, ...files } = cifarFiles(1);
  await writeFiles(folder, files);
  t.deepEqual((await loadCifar10(folder)).classes, cifarClasses);
  await writeFiles(folder, { "batches.meta.txt": new TextEncoder().encode("cat\ndog\n") });
  await rejects(t, loadCifar10(folder), ["batches.meta.txt", "2 classes"], "2 classes");
});

test("loadCifar10: refuses what is wrong in a folder, in one line", async (t) => {
  const cases: [what: string, change: (files: Record<string, Uint8Array>) => void, string[]][] = [
    [
      "two files missing",
      (files) => {
        delete files["data_batch_2.bin"];
        delete files["test_batch.bin"];
      },
      ["data_batch_2.bin, test_batch.bin are missing"],
    ],
    [
      "cut off",
      (files) => {
        files["data_batch_4.bin"] = cifarRecords(3, 2).subarray(0, 5000);
      },
      ["data_batch_4.bin", "5000 bytes", "1927 more than 1 records of 3073"],
    ],
    [
      "empty",
      (files) => {
        files["data_batch_5.bin"] = new Uint8Array(0);
      },
      ["data_batch_5.bin", "is empty"],
    ],
    [
      "label",
      (files) => {
        (files["test_batch.bin"] as Uint8Array)[recordSize] = 10;
      },
      ["test_batch.bin", "label 10 at record 1", "from 0 to 9"],
    ],
  ];
  for (const [what, change, patterns] of cases) {
    const folder = await temporaryFolder(t);
    const files = cifarFiles(2);
    change(files);
    await writeFiles(folder, files);
    await rejects(t, loadCifar10(folder), ["loadCifar10: ", folder, ...patterns], what);

    if (what === "two files missing") continue;
    await writeFiles(folder, { "bad.tar.gz": await cifarArchive(files) });
    const archive = join(folder, "bad.tar.gz");
    await rejects(t, loadCifar10(archive), [archive, ...patterns], `${what}, in an archive`);
  }
});

test("loadCifar10: refuses other things than CIFAR-10, in one line", async (t) => {
  const folder = await temporaryFolder(t);
  const python = await packTar([
    { header: { name: "cifar-10-batches-py/data_batch_1", size: 3 }, body: "abc" },
  ]);
  await writeFiles(folder, {
    "empty.tar.gz": new Uint8Array(0),
    "plain.tar.gz": new TextEncoder().encode("not compressed"),
    "text.tar.gz": gzipSync("no tar archive ".repeat(100)),
    "nothing.tar.gz": gzipSync(await packTar([])),
    "python.tar.gz": gzipSync(python),
  });
  const cases: [string, string][] = [
    ["", "holds none of data_batch_1.bin"],
    ["nowhere", "does not exist"],
    ["empty.tar.gz", "is empty"],
    ["plain.tar.gz", "is not a gzip file"],
    ["text.tar.gz", "is not a whole tar archive"],
    ["nothing.tar.gz", "test_batch.bin are missing"],
    ["python.tar.gz", "Python version"],
  ];
  for (const [name, pattern] of cases) {
    const path = name === "" ? folder : join(folder, name);
    await rejects(t, loadCifar10(path), ["loadCifar10: ", path, pattern], name || "empty folder");
  }
});

test("loadCifar10: a file cut at any byte is refused, or is a shorter set of whole records", async (t) => {
  const folder = await temporaryFolder(t);
  const files = cifarFiles(3);
  await writeFiles(folder, files);
  const cut = fc.record({
    name: fc.constantFrom(...cifarNames),
    size: fc.oneof(
      fc.nat(3 * recordSize - 1),
      fc
        .tuple(fc.nat(2), fc.integer({ min: -1, max: 1 }))
        .map(([records, more]) => Math.max(0, records * recordSize + more)),
    ),
  });
  await fc.assert(
    fc.asyncProperty(cut, async ({ name, size }) => {
      const whole = files[name] as Uint8Array;
      await writeFiles(folder, { [name]: whole.subarray(0, size) });
      try {
        const data = await loadCifar10(folder);
        const records = size / recordSize;
        const images = name === "test_batch.bin" ? data.test.count : data.train.count - 4 * 3;
        return Number.isInteger(records) && records > 0 && images === records;
      } catch (error) {
        const { message } = error as Error;
        const refused = size === 0 ? "is empty" : `has ${size} bytes`;
        return size % recordSize === 0
          ? size === 0 && message.includes(refused)
          : message.includes(refused) && message.includes(name) && !message.includes("\n");
      } finally {
        await writeFiles(folder, { [name]: whole });
      }
    }),
    { seed: 1, numRuns: 150 },
  );
  t.pass("150 cuts");
});

test("loadCifar10: an archive cut at any byte, or with a byte changed, is never taken for another", async (t) => {
  const folder = await temporaryFolder(t);
  const archive = await cifarArchive(cifarFiles(1));
  const path = join(folder, "x.tar.gz");
  await writeFiles(folder, { "x.tar.gz": archive });
  const expected = JSON.stringify(await loadCifar10(path));
  const damage = fc.oneof(
    fc.nat(archive.length - 1).map((size) => archive.subarray(0, size)),
    fc.tuple(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, change]) => {
      const copy = Buffer.from(archive);
      copy[at] = (copy[at] as number) ^ change;
      return copy;
    }),
  );
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(damage, async (bytes) => {
      await writeFiles(folder, { "x.tar.gz": bytes });
      try {
        // A few bytes of gzip's header (time, system) mean nothing; all else is under its checksum.
        return JSON.stringify(await loadCifar10(path)) === expected;
      } catch (error) {
        refused++;
        const { message } = error as Error;
        return message.startsWith("loadCifar10: ") && !message.includes("\n");
      }
    }),
    { seed: 2, numRuns: 150 },
  );
  t.ok(refused > 130, `${refused} of 150 refused`);
});

const real = process.env.FEWNORM_CIFAR10;
test(
  "loadCifar10: the real files",
  real ? {} : { skip: "set FEWNORM_CIFAR10 to a folder with CIFAR-10's binary version" },
  async (t) => {
    const folder = real as string;
    const data = await loadCifar10(folder);
    t.deepEqual(data.classes, cifarClasses);
    t.ok(data.train.count >= 5000 && data.test.count >= 1000, `${data.train.count} images`);
    // Labels and means of CIFAR-10 that everyone knows; a subset's mean of 5,000 images is off by less than 0.02.
    t.deepEqual([...data.train.labels.subarray(0, 4)], [6, 9, 9, 4]);
    t.deepEqual([...data.test.labels.subarray(0, 4)], [3, 8, 8, 0]);
    [0.4914, 0.4822, 0.4465].forEach((mean, channel) => {
      t.ok(Math.abs((data.mean[channel] as number) - mean) < 0.02, `mean ${channel}`);
    });
    const bytes = await readFile(join(folder, "data_batch_1.bin"));
    t.ok(bytes.subarray(1, recordSize).equals(data.train.images.subarray(0, 3072)), "first image");
  },
);

test("loadCifar10: an archive with two files of one name is refused", async (t) => {
  const folder = await temporaryFolder(t);
  const files = cifarFiles(2);
  const second = { "backup/data_batch_1.bin": files["test_batch.bin"] as Uint8Array };
  await writeFiles(folder, { "c.tar.gz": await cifarArchive({ ...files, ...second }) });
  const loading = loadCifar10(join(folder, "c.tar.gz"));
  await rejects(t, loading, [/data_batch_1\.bin twice/], "twice");
});
