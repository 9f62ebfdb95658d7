// CIFAR-10 in its official binary layout: what the six files hold, and loading them from a folder.
// Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
// https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
import { readCifar10Archive } from "./cifar10-archive.ts";
import { allocateBytes, createDataset, type Dataset, type Split } from "./dataset.ts";
import { inspect, readBytes } from "./files.ts";
import { nodePath } from "./node.ts";

const who = "loadCifar10";
const shape = [3, 32, 32] as const;
const imageSize = 3 * 32 * 32;
const recordSize = 1 + imageSize;

/** Names of the files with images, training first. */
export const cifar10DataFiles = [1, 2, 3, 4, 5]
  .map((number) => `data_batch_${number}.bin`)
  .concat("test_batch.bin");
/** Name of the file with the names of the classes, one a line. */
const cifar10ClassFile = "batches.meta.txt";
/** Name of the folder inside the official archive. */
export const cifar10Folder = "cifar-10-batches-bin";
/** Name of the official archive. */
export const cifar10Archive = "cifar-10-binary.tar.gz";

const classNames = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");

/**
 * Loads CIFAR-10 (50,000 + 10,000 images, 3×32×32, 10 classes), or any cut of it in the same layout:
 * `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin`, each a whole number of records of 3,073
 * bytes (label, then the red, green and blue plane, row by row), and `batches.meta.txt` with the names of
 * the classes (where it is missing, the official names are taken).
 *
 * @param path a folder with these files, a folder that contains `cifar-10-batches-bin/` or
 *   `cifar-10-binary.tar.gz`, or that archive itself, which is read as a stream.
 * @throws Error, in one line, for what is missing (and where it was looked for), empty, cut off, has a label
 *   above 9, or is not a gzipped tar archive.
 */
export async function loadCifar10(path: string): Promise<Dataset> {
  const { join } = await nodePath();
  const { kind } = await inspect(who, path);
  if (kind === "missing") throw new Error(`${who}: ${path} does not exist; check the path`);
  if (kind === "file") return fromFiles(await readCifar10Archive(who, path, wanted), path);
  for (const folder of [path, join(path, cifar10Folder)]) {
    const present = await Promise.all(
      cifar10DataFiles.map(
        async (name) => (await inspect(who, join(folder, name))).kind === "file",
      ),
    );
    if (present.some(Boolean)) return fromFiles(await readFolder(folder), folder);
  }
  const archive = join(path, cifar10Archive);
  if ((await inspect(who, archive)).kind === "file") return loadCifar10(archive);
  throw new Error(
    `${who}: ${path} holds none of ${cifar10DataFiles.join(", ")}, nor ${cifar10Folder}/ or ${cifar10Archive}; give the folder with the binary version of CIFAR-10`,
  );
}

/** What an archive is searched for: sizes are checked before a file is read. */
const wanted = {
  names: [...cifar10DataFiles, cifar10ClassFile],
  check(name: string, size: number, where: string): void {
    if (name !== cifar10ClassFile) checkSize(name, size, where);
  },
};

async function readFolder(folder: string): Promise<Map<string, Uint8Array>> {
  const { join } = await nodePath();
  // All sizes first: a bad file is found before hundreds of megabytes are read.
  const names: string[] = [];
  for (const name of wanted.names) {
    const { kind, size } = await inspect(who, join(folder, name));
    if (kind !== "file") continue;
    wanted.check(name, size, folder);
    names.push(name);
  }
  checkComplete(names, folder);
  const files = new Map<string, Uint8Array>();
  for (const name of names) files.set(name, await readBytes(who, join(folder, name)));
  return files;
}

function fromFiles(files: ReadonlyMap<string, Uint8Array>, where: string): Dataset {
  checkComplete([...files.keys()], where);
  const meta = files.get(cifar10ClassFile);
  return createDataset({
    name: "cifar10",
    classes: meta ? parseClasses(meta, where) : classNames,
    shape,
    train: parseRecords(files, cifar10DataFiles.slice(0, -1), where),
    test: parseRecords(files, cifar10DataFiles.slice(-1), where),
  });
}

function checkComplete(names: readonly string[], where: string): void {
  const missing = cifar10DataFiles.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    throw new Error(
      `${who}: ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} missing in ${where}; give the binary version of CIFAR-10, with all of its six .bin files`,
    );
  }
}

function checkSize(name: string, size: number, where: string): void {
  if (size === 0) throw new Error(`${who}: ${name} in ${where} is empty; download it again`);
  if (size % recordSize !== 0) {
    throw new Error(
      `${who}: ${name} in ${where} has ${size} bytes, ${size % recordSize} more than ${Math.floor(size / recordSize)} records of ${recordSize}; it is cut off or not CIFAR-10's binary version`,
    );
  }
}

function parseRecords(
  files: ReadonlyMap<string, Uint8Array>,
  names: readonly string[],
  where: string,
): Split {
  const parts = names.map((name) => ({ name, bytes: files.get(name) as Uint8Array }));
  for (const { name, bytes } of parts) checkSize(name, bytes.length, where);
  const count = parts.reduce((sum, { bytes }) => sum + bytes.length / recordSize, 0);
  const images = allocateBytes(count * imageSize);
  const labels = allocateBytes(count);
  let image = 0;
  for (const { name, bytes } of parts) {
    for (let record = 0; record < bytes.length / recordSize; record++, image++) {
      const begin = record * recordSize;
      const label = bytes[begin] as number;
      if (label >= classNames.length) {
        throw new Error(
          `${who}: ${name} in ${where} has label ${label} at record ${record}; labels go from 0 to 9, so the file is damaged or not CIFAR-10's binary version`,
        );
      }
      labels[image] = label;
      images.set(bytes.subarray(begin + 1, begin + recordSize), image * imageSize);
    }
  }
  return { count, images, labels };
}

function parseClasses(bytes: Uint8Array, where: string): string[] {
  const lines = new TextDecoder().decode(bytes).split("\n");
  const names = lines.map((line) => line.trim()).filter((line) => line !== "");
  if (names.length !== classNames.length) {
    throw new Error(
      `${who}: ${cifar10ClassFile} in ${where} names ${names.length} classes; CIFAR-10 has ${classNames.length}, one a line`,
    );
  }
  return names;
}
