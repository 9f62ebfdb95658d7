// Reads the workspace: its packages, what they declare and what their files import.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { importsOf } from "./imports.mjs";
import { readReadme } from "./readme.mjs";

/**
 * @typedef {{ path: string, imports: import("./imports.mjs").Import[] }} SourceFile path relative to the package
 * @typedef {{
 *   folder: string,
 *   manifest: Record<string, any>,
 *   files: SourceFile[],
 *   binsOf: (dependency: string) => string[],
 *   readme?: import("./readme.mjs").Readme | undefined,
 * }} Member folder relative to the root, with forward slashes
 */

const CODE = /\.(?:[cm]?[jt]s|tsx)$/;
// AssemblyScript, under assembly/, is TypeScript in its syntax only.
const SKIPPED_FOLDERS = new Set(["node_modules", "dist", "fixtures", "assembly", ".turbo"]);

/**
 * @param {string} root the folder of pnpm-workspace.yaml; its patterns may end in `/*`, nothing more
 * @returns {Member[]} without the root package
 */
export function readWorkspace(root) {
  const { packages } = parse(readFileSync(join(root, "pnpm-workspace.yaml"), "utf8"));
  return packages
    .flatMap((/** @type {string} */ pattern) => expand(root, pattern))
    .filter((/** @type {string} */ folder) => existsSync(join(root, folder, "package.json")))
    .map((/** @type {string} */ folder) => readMember(root, folder));
}

/** @param {string} root @param {string} pattern @returns {string[]} */
function expand(root, pattern) {
  if (!pattern.endsWith("/*")) return [pattern];
  const parent = pattern.slice(0, -2);
  if (!existsSync(join(root, parent))) return [];
  const entries = readdirSync(join(root, parent), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${parent}/${name}`);
}

/** @param {string} root @param {string} folder @returns {Member} */
function readMember(root, folder) {
  const base = join(root, folder);
  const files = codeFiles(base, "").map((path) => ({
    path,
    imports: importsOf(path, readFileSync(join(base, path), "utf8")),
  }));
  const prose = join(base, "README.md");
  const readme = existsSync(prose)
    ? readReadme(`${folder}/README.md`, readFileSync(prose, "utf8"))
    : undefined;
  return { folder, manifest: readJson(join(base, "package.json")), files, binsOf, readme };

  /** @param {string} dependency */
  function binsOf(dependency) {
    const file = join(base, "node_modules", dependency, "package.json");
    const { bin } = existsSync(file) ? readJson(file) : { bin: undefined };
    return typeof bin === "string" ? [dependency] : Object.keys(bin ?? {});
  }
}

/** @param {string} file */
function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** @param {string} base @param {string} below @returns {string[]} */
function codeFiles(base, below) {
  return readdirSync(join(base, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : codeFiles(base, path);
    return CODE.test(entry.name) ? [path] : [];
  });
}
