// Compiles assembly/ into dist/src/engine: the engine with and without relaxed SIMD in binaries.js, and for vectors of 8
// floats in wide-binary.js, which bundles for browsers leave out. They are base64 in modules, so that neither Node nor a
// bundler has a file to find at run time. Does nothing while the sources are unchanged.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "dist", "src", "engine");
const modules = { "binaries.js": ["plain", "relaxed"], "wide-binary.js": ["wide"] };
const builds = {
  plain: ["simd", "threads"],
  relaxed: ["simd", "threads", "relaxed-simd"],
  wide: ["simd", "threads", "relaxed-simd"],
};
const options = [
  "assembly/index.ts",
  ...["-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--sharedMemory"],
  ...["--initialMemory", "1", "--maximumMemory", "65536"],
];

function sourceHash() {
  const hash = createHash("sha256").update(readFileSync(fileURLToPath(import.meta.url)));
  const files = readdirSync(join(root, "assembly")).map((file) => join("assembly", file));
  for (const file of [...files, join("src", "opcodes.ts")].sort()) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

function widened(text) {
  const wide = text.replace("WIDE: bool = false", "WIDE: bool = true");
  if (wide === text) throw new Error("build-engine: assembly/width.ts does not define WIDE");
  return wide;
}

async function compile(name, features) {
  let binary;
  const args = [
    ...options,
    ...features.flatMap((feature) => ["--enable", feature]),
    "--outFile",
    "e.wasm",
  ];
  const { error, stderr } = await main(args, {
    readFile: (path, base) => {
      const file = join(base, path);
      if (!existsSync(file)) return null;
      const text = readFileSync(file, "utf8");
      return name === "wide" && path === "assembly/width.ts" ? widened(text) : text;
    },
    writeFile: (_, contents) => {
      binary = contents;
    },
    listFiles: (name, base) => readdirSync(join(base, name)),
  });
  if (error) throw new Error(`build-engine: ${error.message}\n${stderr.toString()}`);
  return binary;
}

const hash = sourceHash();
for (const [file, names] of Object.entries(modules)) {
  const target = join(folder, file);
  if (existsSync(target) && readFileSync(target, "utf8").startsWith(`// ${hash}\n`)) continue;
  process.chdir(root);
  const lines = [`// ${hash}`];
  for (const name of names) {
    const binary = await compile(name, builds[name]);
    lines.push(`export const ${name} = "${Buffer.from(binary).toString("base64")}";`);
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(target, `${lines.join("\n")}\n`);
}
