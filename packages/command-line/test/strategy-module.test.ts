// Which export of a module is its strategy, where a package is looked for, and what is said where there is none.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadStrategy } from "@fewnorm/command-line";
import { inFolder } from "@fewnorm/command-line/testing";
import test from "tape";

const made = `const s = (name) => ({
  name, virtualRows: 0, extent: (maps) => maps, origin: () => ({ row: 0, top: 0, left: 0 }),
});\n`;

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

/** The strategy's name, or the message of the usage error. */
const found = (specifier: string, folder: string): Promise<string> =>
  loadStrategy(specifier, folder).then(
    ({ name }) => name,
    (error: Error & { exitCode?: number }) => `${error.exitCode}: ${error.message}`,
  );

test("the export called strategy goes first, then the default one, then the alphabet", async (t) => {
  await inFolder(async (folder) => {
    const modules: [text: string, expected: string | RegExp][] = [
      ['export default s("b"); export const a = s("a"), strategy = s("c");', "c"],
      ['export const a = s("a"); export default s("b");', "b"],
      ['export const z = s("z"), y = s("y"), extent = 3;', "y"],
      ['export const strategy = () => s("called");', "called"],
      ['export const a = ({ images }) => s(images), b = s("b");', "b"],
      ['export const strategy = { name: "mix", parts: [{ strategy: s("p"), weight: 1 }] };', "mix"],
      ['export const a = 1, mix = { name: "mix", parts: [{ strategy: s("p") }] };', "mix"],
      ["export const a = { b: 1 }, c = null;", /^2: .* exports no strategy; export one, as in: /],
      ["export const strategy = 3;", /^2: .* exports no strategy \(strategy: .* 3.*\); export one/],
      ['export default () => { throw new Error("no\\nmore"); };', /\(default\(\) throws: no\)/],
      ['import "not-there-at-all";', /^2: .*cannot be loaded \(.*\); packages are looked for/],
      ['throw new Error("broken");', /^2: --strategy \S+ cannot be loaded \(broken\)$/],
    ];
    for (const [i, [text, expected]] of modules.entries()) {
      await write(folder, { [`${i}.mjs`]: made + text });
      const name = await found(`./${i}.mjs`, folder);
      if (typeof expected === "string") t.equal(name, expected, text);
      else t.match(name, expected, text);
    }
  });
});

test("a package is found by its name or folder, by what it exports for imports in Node", async (t) => {
  await inFolder(async (folder) => {
    const manifest = (more: object) => JSON.stringify({ type: "module", ...more });
    const forImports = { browser: "./no.js", import: { types: "./no.ts", node: "./lib/in.js" } };
    const exportsOf = (name: string) => `${made}export const strategy = s("${name}");`;
    await write(join(folder, "node_modules"), {
      "plain/package.json": manifest({ name: "plain", main: "main.js" }),
      "plain/main.js": exportsOf("plain"),
      "nested/package.json": manifest({ name: "nested", exports: { ".": forImports } }),
      "nested/lib/in.js": exportsOf("nested"),
      "short/package.json": manifest({ name: "short", exports: { import: "./in.js" } }),
      "short/in.js": exportsOf("short"),
      "late/package.json": manifest({
        name: "late",
        exports: { import: { browser: "./no.js" }, node: { import: "./in.js" } },
      }),
      "late/in.js": exportsOf("late"),
      "unbuilt/package.json": manifest({ name: "unbuilt", main: "dist/main.js" }),
      "closed/package.json": manifest({ name: "closed", exports: { browser: "./no.js" } }),
    });
    await write(folder, {
      "own/package.json": manifest({ name: "own", main: "main.js" }),
      "own/main.js": exportsOf("own"),
    });
    t.equal(await found("./own", folder), "own", "it need not be installed");
    const below = join(folder, "far", "below");
    await mkdir(below, { recursive: true });
    for (const name of ["plain", "nested", "short", "late"]) {
      t.equal(await found(name, below), name);
      t.equal(await found(join(folder, "node_modules", name), below), name, "its folder");
      t.equal(await found(`../../node_modules/${name}`, below), name, "as seen from here");
    }
    t.match(
      await found("absent", below),
      /^2: --strategy: there is no package absent, and no file or folder .*absent \(.*\); give/,
    );
    t.match(
      await found("closed", below),
      /^2: --strategy: there is no package closed, and no .*closed \(/,
    );
    t.match(
      await found("../../node_modules/unbuilt", below),
      /^2: --strategy: \S+unbuilt cannot be imported \(.*\); build the package first/,
    );
    for (const path of ["./absent.js", join(folder, "absent")]) {
      t.match(await found(path, below), /^2: --strategy: there is no \S+absent/, path);
    }
  });
});
