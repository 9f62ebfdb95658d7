// The data set that ships with this package: a balanced subset of Fashion-MNIST, see assets/README.md.
import type { Dataset } from "./dataset.ts";
import { damagedGzip, gunzip, isGzip, readBytes } from "./files.ts";
import { fashionMnistClasses, mnistFromBytes } from "./mnist.ts";
import { isNode } from "./node.ts";

const who = "loadEmbedded";

/**
 * Loads the embedded data set: 2,000 training and 500 test images of Fashion-MNIST (1×28×28, 10 classes, the
 * same number of each), MIT licence, © 2017 Zalando SE. Real images for examples, tests and benchmarks; for
 * results, load the full data set. In Node it is read from the installed package, in a page it is fetched
 * from where the bundler put it.
 *
 * Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", arXiv 1708.07747.
 * @throws Error if the package's assets are not where they should be.
 */
export async function loadEmbedded(): Promise<Dataset> {
  // Written out one by one: this is the form that bundlers recognize and copy the files for.
  const urls = [
    new URL("../../assets/train-images-idx3-ubyte.gz", import.meta.url),
    new URL("../../assets/train-labels-idx1-ubyte.gz", import.meta.url),
    new URL("../../assets/t10k-images-idx3-ubyte.gz", import.meta.url),
    new URL("../../assets/t10k-labels-idx1-ubyte.gz", import.meta.url),
  ];
  const contents = await Promise.all(
    urls.map(async (url) => [url.pathname, await readAsset(url)] as const),
  );
  return mnistFromBytes(who, "fashion-mnist-subset", fashionMnistClasses, contents);
}

async function readAsset(url: URL): Promise<Uint8Array> {
  if (isNode && url.protocol === "file:") {
    // readFile takes a URL, which spares a conversion that would need one more of Node's modules.
    const bytes = await readBytes(who, url);
    return gunzip(who, url.pathname, bytes);
  }
  const response = await fetch(url).catch((error: Error) => {
    throw new Error(`${who}: ${url} cannot be had (${error.message}); try again`, { cause: error });
  });
  if (!response.ok) {
    throw new Error(
      `${who}: ${url} answers ${response.status}; serve the assets folder of @fewnorm/data there`,
    );
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  // Some servers declare .gz files as compressed transfers: then they arrive unpacked.
  if (!isGzip(bytes)) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  try {
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  } catch (error) {
    throw damagedGzip(who, url.pathname, error);
  }
}
