// Data sets in MNIST's layout: four IDX files with MNIST's names.
import { checkOptions } from "@fewnorm/tensor";
import { allocateBytes, createDataset, type Dataset, type Split } from "./dataset.ts";
import { gunzip, inspect, isGzip, listFolder, readBytes } from "./files.ts";
import { type Idx, parseIdx } from "./idx.ts";
import { nodePath } from "./node.ts";

const who = "loadMnist";

/** Names of Fashion-MNIST's classes, in the order of its labels. */
export const fashionMnistClasses: readonly string[] = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** Options of {@link loadMnist}. */
export interface MnistOptions {
  /** The data set's name; "fashion-mnist" if the path has the word "fashion" in it, else "mnist". */
  readonly name?: string;
  /** Names of the classes; Fashion-MNIST's if the name has the word "fashion" in it, else "0" … "9". */
  readonly classes?: readonly string[];
}

/** The four files, each under the names that are in use. */
const files = [
  { part: "training images", names: ["train-images-idx3-ubyte", "train-images.idx3-ubyte"] },
  { part: "training labels", names: ["train-labels-idx1-ubyte", "train-labels.idx1-ubyte"] },
  { part: "test images", names: ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"] },
  { part: "test labels", names: ["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"] },
] as const;

/** Folders in which other tools keep these files. */
const folders = ["", "raw", "MNIST/raw", "FashionMNIST/raw"];

/**
 * Loads MNIST, Fashion-MNIST or another data set in their layout: one channel, any height and width.
 *
 * @param path the folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
 *   `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each gzipped (`.gz`) or not; `raw/`, `MNIST/raw/`
 *   and `FashionMNIST/raw/` inside it are looked at too.
 * @throws Error, in one line, for what is missing, empty, cut off, no IDX file or of the wrong rank, for
 *   image and label counts that differ, and for a label without a class.
 */
export async function loadMnist(path: string, options: MnistOptions = {}): Promise<Dataset> {
  checkOptions(who, options, { name: "string", classes: "array" });
  // The same however the path is written.
  const { resolve } = await nodePath();
  const name = options.name ?? (/fashion/i.test(resolve(path)) ? "fashion-mnist" : "mnist");
  const classes =
    options.classes ?? (/fashion/i.test(name) ? fashionMnistClasses : Array.from("0123456789"));
  const folder = await findMnistFolder(who, path);
  if (folder === undefined) {
    throw new Error(
      `${who}: ${path} holds none of ${files.map(({ names }) => names[0]).join(", ")} (.gz or not); give the folder with these files`,
    );
  }
  const contents: [string, Uint8Array][] = [];
  for (const file of await findFiles(folder)) {
    const bytes = await readBytes(who, file);
    contents.push([file, isGzip(bytes) ? await gunzip(who, file, bytes) : bytes]);
  }
  return mnistFromBytes(who, name, classes, contents);
}

/** The paths of the four files, in their order. Archives may unpack each into a folder of its own name beside it. */
async function findFiles(folder: string): Promise<string[]> {
  const { join } = await nodePath();
  const found: string[] = [];
  for (const { part, names } of files) {
    const all = names.flatMap((base) => [base, `${base}.gz`]);
    let file: string | undefined;
    for (const one of all) {
      if (file !== undefined) break;
      if ((await inspect(who, join(folder, one))).kind === "file") file = join(folder, one);
    }
    if (file === undefined) {
      throw new Error(`${who}: the ${part} are missing in ${folder}; looked for ${all.join(", ")}`);
    }
    found.push(file);
  }
  return found;
}

/** The folder at or below `path` that has at least one of the four files. */
export async function findMnistFolder(by: string, path: string): Promise<string | undefined> {
  const { join } = await nodePath();
  const names: string[] = files.flatMap((file) => [...file.names]);
  for (const below of folders) {
    const folder = join(path, below);
    if ((await inspect(by, folder)).kind !== "folder") continue;
    const present = await listFolder(by, folder);
    if (present.some((name) => names.includes(name.replace(/\.gz$/, "")))) return folder;
  }
  return undefined;
}

/** A data set from the four files' unpacked bytes, each with its name: training images, labels, test images, labels. */
export function mnistFromBytes(
  by: string,
  name: string,
  classes: readonly string[],
  contents: readonly (readonly [name: string, bytes: Uint8Array])[],
): Dataset {
  const [trainImages, trainLabels, testImages, testLabels] = contents.map(([file, bytes], i) => {
    const idx = parseIdx(bytes, file, by);
    const rank = i % 2 === 0 ? 3 : 1;
    if (idx.dimensions.length !== rank) {
      throw new Error(
        `${by}: ${file} has ${idx.dimensions.length} dimensions, ${idx.dimensions.join("×")}; ${rank === 3 ? "images have 3" : "labels have 1"}`,
      );
    }
    return { file, idx };
  }) as [Part, Part, Part, Part];
  const [, height = 0, width = 0] = trainImages.idx.dimensions;
  const [, testHeight, testWidth] = testImages.idx.dimensions;
  if (testHeight !== height || testWidth !== width) {
    throw new Error(
      `${by}: ${testImages.file} has images of ${testHeight}×${testWidth}, ${trainImages.file} of ${height}×${width}; they must agree`,
    );
  }
  return createDataset({
    name,
    classes,
    shape: [1, height, width],
    train: toSplit(by, trainImages, trainLabels, classes.length),
    test: toSplit(by, testImages, testLabels, classes.length),
  });
}

interface Part {
  readonly file: string;
  readonly idx: Idx;
}

function toSplit(by: string, images: Part, labels: Part, classCount: number): Split {
  const count = images.idx.dimensions[0] as number;
  if (labels.idx.data.length !== count) {
    throw new Error(
      `${by}: ${labels.file} has ${labels.idx.data.length} labels, ${images.file} has ${count} images; they must agree`,
    );
  }
  const wrong = labels.idx.data.findIndex((label) => label >= classCount);
  if (wrong >= 0) {
    throw new Error(
      `${by}: ${labels.file} has label ${labels.idx.data[wrong]} at image ${wrong}; labels go from 0 to ${classCount - 1}`,
    );
  }
  return { count, images: copyOf(images.idx.data), labels: copyOf(labels.idx.data) };
}

function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = allocateBytes(bytes.length);
  copy.set(bytes);
  return copy;
}
