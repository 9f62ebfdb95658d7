// Runs the code in the packages' READMEs as a reader would, and type-checks it. Left out are those that need
// a backend of one's own, or a GPU.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { resnet } from "@fewnorm/models";
import { batchNorm } from "@fewnorm/norm";
import { writeSafetensors } from "@fewnorm/safetensors/node";
import { key } from "@fewnorm/tensor";
import { initializeStates, modelStates } from "@fewnorm/train";
import test from "tape";

/** The packages, as import.meta.resolve finds them: so they are built before, and named in package.json. */
const packages = [
  import.meta.resolve("@fewnorm/backend-reference"),
  import.meta.resolve("@fewnorm/backend-wasm"),
  import.meta.resolve("@fewnorm/data"),
  import.meta.resolve("@fewnorm/models"),
  import.meta.resolve("@fewnorm/nn"),
  import.meta.resolve("@fewnorm/norm"),
  import.meta.resolve("@fewnorm/onnx"),
  import.meta.resolve("@fewnorm/presets"),
  import.meta.resolve("@fewnorm/safetensors"),
  import.meta.resolve("@fewnorm/sampling"),
  import.meta.resolve("@fewnorm/sampling-batch"),
  import.meta.resolve("@fewnorm/sampling-feature"),
  import.meta.resolve("@fewnorm/sampling-virtual"),
  import.meta.resolve("@fewnorm/tensor"),
  import.meta.resolve("@fewnorm/train"),
].map((entry) => fileURLToPath(new URL("../..", entry)));

/** Where the code goes: below this package, whose dependencies it finds. */
const folderOf = (/** @type {string} */ name) =>
  fileURLToPath(new URL(`../dist/readmes/${name}`, import.meta.url));

/** What an example expects to find. @type {Record<string, (folder: string) => Promise<void>>} */
const prepare = {
  async onnx(folder) {
    const states = modelStates(resnet({ depth: 20, norm: batchNorm() }));
    const first = initializeStates(states, key(1));
    const tensors = states.map(({ name, shape }) => {
      return /** @type {const} */ ([
        name,
        { shape, values: first.get(name) ?? new Float32Array() },
      ]);
    });
    await writeSafetensors(join(folder, "resnet20.safetensors"), new Map(tensors));
  },
};

const tsc = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
/** @type {string[]} */
const written = [];
for (const source of packages) {
  const readme = readFileSync(join(source, "README.md"), "utf8");
  const [, name = ""] = /^# @fewnorm\/(\S+)\n/.exec(readme) ?? [];
  test(`the README of ${name}`, async (t) => {
    const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = ""]) => code);
    t.ok(blocks.length > 0, "has code");
    const folder = folderOf(name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await prepare[name]?.(folder);
    for (const [i, code] of blocks.entries()) {
      // A file that a later block imports has its name in the text.
      const [, file = "readme.js"] = /`([a-z-]+\.js)`/.exec(readme) ?? [];
      const path = join(folder, i === 0 ? file : `readme-${i}.js`);
      writeFileSync(path, code);
      written.push(path);
      const run = promisify(execFile)(process.execPath, [path], { cwd: folder });
      const { stdout, stderr } = await run.catch((error) => error);
      t.equal(stderr, "", stdout);
    }
  });
}

// Declarations are checked as well, which this repository's own settings skip.
const strict = { strict: true, exactOptionalPropertyTypes: true, checkJs: true, noEmit: true };
for (const [where, options] of Object.entries({
  "Node, without the DOM's types": { module: "nodenext", lib: ["es2023"], types: ["node"] },
  "a bundler, without Node's": {
    ...{ module: "esnext", moduleResolution: "bundler" },
    ...{ lib: ["es2023", "dom"], types: [] },
  },
})) {
  test(`the READMEs' code type-checks in ${where}`, async (t) => {
    // What needs Node to run needs its types, too.
    const ofNode = /from "node:/;
    const files = written.filter((path) => {
      return options.types.length > 0 || !ofNode.test(readFileSync(path, "utf8"));
    });
    const config = join(folderOf("."), "tsconfig.json");
    const compilerOptions = { ...strict, ...options, target: "es2023", skipLibCheck: false };
    writeFileSync(config, JSON.stringify({ compilerOptions, files }));
    const run = promisify(execFile)(tsc, ["-p", config], { cwd: folderOf(".") });
    const { stdout } = await run.catch((error) => error);
    t.equal(stdout, "");
  });
}
