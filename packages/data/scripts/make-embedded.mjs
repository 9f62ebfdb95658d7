// Makes assets/ from the full Fashion-MNIST: `node scripts/make-embedded.mjs FOLDER`, where FOLDER has the four
// original files (train-images-idx3-ubyte.gz …). Takes the first 200 training and the first 50 test images of
// each class and keeps their order. Needs a built package.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { loadIdx } from "@fewnorm/data";

const [source] = process.argv.slice(2);
if (source === undefined) {
  console.error("make-embedded: give the folder with Fashion-MNIST's four .gz files");
  process.exit(2);
}
const assets = fileURLToPath(new URL("../assets", import.meta.url));

for (const [prefix, quota] of [
  ["train", 200],
  ["t10k", 50],
]) {
  const images = await loadIdx(join(source, `${prefix}-images-idx3-ubyte.gz`));
  const labels = await loadIdx(join(source, `${prefix}-labels-idx1-ubyte.gz`));
  const taken = new Map();
  const chosen = [];
  labels.data.forEach((label, index) => {
    const before = taken.get(label) ?? 0;
    if (before === quota) return;
    taken.set(label, before + 1);
    chosen.push(index);
  });
  const [, height, width] = images.dimensions;
  const size = height * width;
  const pixels = chosen.map((index) => images.data.subarray(index * size, (index + 1) * size));
  write(`${prefix}-images-idx3-ubyte.gz`, [chosen.length, height, width], Buffer.concat(pixels));
  write(
    `${prefix}-labels-idx1-ubyte.gz`,
    [chosen.length],
    Buffer.from(chosen.map((index) => labels.data[index])),
  );
}

function write(name, dimensions, data) {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header[2] = 8; // unsigned bytes
  header[3] = dimensions.length;
  dimensions.forEach((extent, i) => {
    header.writeUInt32BE(extent, 4 + 4 * i);
  });
  const packed = gzipSync(Buffer.concat([header, data]), { level: 9 });
  packed[9] = 255; // the operating system: unknown, so that it does not depend on where this ran
  writeFileSync(join(assets, name), packed);
  console.log(`${name}: ${dimensions.join("×")}, ${packed.length} bytes`);
}
