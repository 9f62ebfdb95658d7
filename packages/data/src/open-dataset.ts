// Opens whichever data set lies at a path.
import { cifar10Archive, cifar10DataFiles, cifar10Folder, loadCifar10 } from "./cifar10.ts";
import type { Dataset } from "./dataset.ts";
import { inspect, isGzip, readStart } from "./files.ts";
import { findMnistFolder, loadMnist } from "./mnist.ts";
import { nodePath } from "./node.ts";

const who = "openDataset";

/**
 * Loads the data set at `path`: CIFAR-10 in its binary layout (a folder, or the `.tar.gz`), or a folder with
 * MNIST's four IDX files. See `loadCifar10` and `loadMnist` for what exactly each accepts and refuses.
 * @throws Error, in one line, if there is none, with what was looked for.
 */
export async function openDataset(path: string): Promise<Dataset> {
  const { kind } = await inspect(who, path);
  if (kind === "missing") throw new Error(`${who}: ${path} does not exist; check the path`);
  if (kind === "file") {
    if (isGzip(await readStart(who, path, 2)) && !/ubyte\.gz$/.test(path)) return loadCifar10(path);
    throw new Error(
      `${who}: ${path} is a file, but not a .tar.gz; give ${cifar10Archive}, or the folder with CIFAR-10's .bin files or MNIST's IDX files`,
    );
  }
  const { join } = await nodePath();
  const signs = [...cifar10DataFiles, cifar10Folder, cifar10Archive];
  for (const sign of signs) {
    if ((await inspect(who, join(path, sign))).kind !== "missing") return loadCifar10(path);
  }
  if ((await findMnistFolder(who, path)) !== undefined) return loadMnist(path);
  throw new Error(
    `${who}: ${path} holds no data set; looked for CIFAR-10 (data_batch_1.bin … data_batch_5.bin, test_batch.bin, ${cifar10Folder}/, ${cifar10Archive}) and for MNIST's files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, .gz or not)`,
  );
}
