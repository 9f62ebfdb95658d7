// Writes a new package from the templates: a sampling strategy if its name says so, or a plain one.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const TEMPLATES = fileURLToPath(new URL("../templates", import.meta.url));
const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/**
 * @param {string} root the workspace's folder
 * @param {{ name: string, layer: string, description?: string }} options name without its scope, layer
 *   in digits
 * @returns {string[]} the files it wrote, relative to root
 * @throws Error if the name or the layer is not valid, or the package exists
 */
export function createPackage(root, { name, layer, description }) {
  const kind = name.replace(/^sampling-/, "");
  // What follows "sampling-" becomes the name of a function, which cannot begin with a digit.
  if (!NAME.test(kind)) {
    throw new Error(`new-package: "${name}" is not a name in kebab-case, such as sampling-mine`);
  }
  if (!/^(?:0|[1-9]\d*)$/.test(layer)) {
    throw new Error(`new-package: layer "${layer}" is no whole number; see docs/architecture.md`);
  }
  const folder = join("packages", name);
  if (existsSync(join(root, folder))) {
    throw new Error(`new-package: ${folder} exists; choose another name or remove it`);
  }
  const isStrategy = name.startsWith("sampling-");
  // It depends on sampling, which is of layer 1.
  if (isStrategy && Number(layer) < 2) {
    throw new Error(`new-package: a strategy is of layer 2 or higher, and not ${layer}`);
  }
  const template = join(TEMPLATES, isStrategy ? "strategy" : "package");
  // As in batchSampling of the package sampling-batch.
  const camel = isStrategy ? `${camelCase(kind)}Sampling` : camelCase(name);
  const pascal = `${camel.charAt(0).toUpperCase()}${camel.slice(1)}`;
  const text =
    description ?? (isStrategy ? `The sampling strategy ${kind}` : `The package ${name}`);
  const values = { name, layer, kind, camel, pascal, description: text };
  return filesBelow(template).map((path) => {
    const target = join(folder, fill(path, values).replace(/\.template$/, ""));
    mkdirSync(dirname(join(root, target)), { recursive: true });
    const escaped = { ...values, description: JSON.stringify(text).slice(1, -1) };
    const filling = target.endsWith(".json") ? escaped : values;
    writeFileSync(join(root, target), fill(readFileSync(join(template, path), "utf8"), filling));
    return target;
  });
}

/** @param {string} kebab */
function camelCase(kebab) {
  return kebab.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

/** @param {string} text @param {Record<string, string>} values */
function fill(text, values) {
  return text.replace(/\{\{(\w+)\}\}/g, (_, key) => values[key] ?? "");
}

/** @param {string} folder @param {string} [below] @returns {string[]} */
function filesBelow(folder, below = "") {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? filesBelow(folder, path) : [path];
  });
}
