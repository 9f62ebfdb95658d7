// Runs the code in the packages' READMEs as a reader would, each in a folder of its own. Left out are those that need
// a backend of one's own, or a GPU.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { resnet } from "@fewnorm/models";
import { batchNorm } from "@fewnorm/norm";
import { writeSafetensors } from "@fewnorm/safetensors/node";
import { key } from "@fewnorm/tensor";
import { initializeStates, modelStates } from "@fewnorm/train";
import test from "tape";

const modules = fileURLToPath(new URL("../node_modules", import.meta.url));

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

/** A folder with this one's packages. @param {(folder: string) => Promise<void>} use */
async function inFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "readme-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    symlinkSync(modules, join(folder, "node_modules"), "dir");
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

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

for (const source of packages) {
  const readme = readFileSync(join(source, "README.md"), "utf8");
  const [, name = ""] = /^# @fewnorm\/(\S+)\n/.exec(readme) ?? [];
  test(`the README of ${name}`, async (t) => {
    const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)];
    t.ok(blocks.length > 0, "has code");
    await inFolder(async (folder) => {
      await prepare[name]?.(folder);
      for (const [, code = ""] of blocks) {
        // A file that a later block imports has its name in the text.
        const file = /`([a-z-]+\.js)`/.exec(readme)?.[1] ?? "readme.js";
        const path = join(folder, code === blocks[0]?.[1] ? file : "next.js");
        writeFileSync(path, code);
        const run = promisify(execFile)(process.execPath, [path], { cwd: folder });
        const { stdout, stderr } = await run.catch((error) => error);
        t.equal(stderr, "", stdout);
      }
    });
  });
}
