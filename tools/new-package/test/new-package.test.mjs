import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "tape";
import { createPackage } from "../src/create-package.mjs";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const TOOL = fileURLToPath(new URL("../src/new-package.mjs", import.meta.url));

/** A workspace with this one's configuration and installed tools. @param {(root: string) => void} use */
function withWorkspace(use) {
  const root = mkdtempSync(join(tmpdir(), "new-package-"));
  try {
    for (const file of ["tsconfig.base.json", "biome.json", "pnpm-workspace.yaml", ".gitignore"]) {
      copyFileSync(join(REPOSITORY, file), join(root, file));
    }
    writeFileSync(join(root, "package.json"), '{ "private": true }\n');
    mkdirSync(join(root, ".git"));
    symlinkSync(join(REPOSITORY, "node_modules"), join(root, "node_modules"), "dir");
    use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** @param {string} cwd @param {string} tool @param {string[]} parameters */
function run(cwd, tool, ...parameters) {
  const command = join(REPOSITORY, "node_modules/.bin", tool);
  const { status, stdout, stderr } = spawnSync(command, parameters, { cwd, encoding: "utf8" });
  return { status, output: `${stdout}${stderr}` };
}

/** Links packages of this repository, built, as pnpm would. @param {string} folder @param {string[]} urls */
function link(folder, urls) {
  mkdirSync(join(folder, "node_modules/@fewnorm"), { recursive: true });
  for (const url of urls) {
    const target = fileURLToPath(new URL("../..", url));
    const name = JSON.parse(readFileSync(join(target, "package.json"), "utf8")).name;
    symlinkSync(target, join(folder, "node_modules", name), "dir");
  }
}

/** @type {{ name: string, passed: RegExp, dependencies: string[] }[]} */
const kinds = [
  { name: "region-growing", passed: /^1 passed, 0 failed, 0 skipped\n$/, dependencies: [] },
  {
    name: "sampling-every-other",
    passed: /^[1-9]\d* passed, 0 failed, 0 skipped\n$/,
    dependencies: [
      import.meta.resolve("@fewnorm/sampling"),
      import.meta.resolve("@fewnorm/tensor"),
    ].map((url) => new URL(".", url).href),
  },
];
for (const { name, passed, dependencies } of kinds) {
  test(`a new package such as ${name} builds, passes its test and lints`, (t) => {
    withWorkspace((root) => {
      createPackage(root, { name, layer: "2", description: 'A package of "tests"' });
      const folder = join(root, "packages", name);
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      t.equal(manifest.name, `@fewnorm/${name}`);
      t.equal(manifest.description, 'A package of "tests"');
      t.deepEqual(manifest.fewnorm, { layer: 2 });
      link(folder, dependencies);

      const build = run(folder, "tsc");
      t.equal(build.status, 0, build.output || "builds");
      t.match(run(folder, "run-tests").output, passed);
      const lint = run(root, "biome", "check", "packages");
      t.equal(lint.status, 0, lint.output);
      const graph = run(root, "check-graph");
      t.equal(graph.output, "check-graph: 1 packages, no problems\n");
    });
    t.end();
  });
}

test("createPackage refuses what cannot become a package", (t) => {
  withWorkspace((root) => {
    t.throws(() => createPackage(root, { name: "SamplingMine", layer: "2" }), /kebab-case/);
    t.throws(() => createPackage(root, { name: "../outside", layer: "2" }), /kebab-case/);
    t.throws(() => createPackage(root, { name: "sampling-2d", layer: "2" }), /kebab-case/);
    t.throws(() => createPackage(root, { name: "sampling-x", layer: "1" }), /layer 2 or higher/);
    for (const layer of ["x", "", "1.5", "-1", "0x1", "01"]) {
      const problem = new RegExp(`layer "${layer}" is no whole number`);
      t.throws(() => createPackage(root, { name: "mine", layer }), problem);
    }
    createPackage(root, { name: "mine", layer: "2" });
    t.throws(() => createPackage(root, { name: "mine", layer: "2" }), /packages\/mine exists/);
  });
  t.end();
});

test("new-package says how it is used", (t) => {
  for (const parameters of [[], ["mine"], ["--layer", "2"], ["mine", "--laier", "2"]]) {
    const { status, stderr } = spawnSync(process.execPath, [TOOL, ...parameters], {
      encoding: "utf8",
    });
    t.equal(status, 1, parameters.join(" "));
    t.match(stderr, /usage: pnpm new-package NAME --layer N/);
  }
  t.end();
});
