// Which test files a package has, going by its sources: what lies in dist may be older.
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";

const SKIPPED_FOLDERS = new Set(["node_modules", "dist", "fixtures"]);

/**
 * Test files below `folder`/test, as paths of JavaScript files that can be run: `test/a.test.ts` stands for
 * `dist/test/a.test.js`, `test/a.test.mjs` for itself.
 * @param {string} folder a package's folder
 * @returns {{ source: string, file: string, exists: boolean }[]} sorted by source; paths relative to folder
 */
export function findTests(folder) {
  const found = [];
  for (const path of walk(join(folder, "test"))) {
    const source = relative(folder, path);
    if (/\.test\.ts$/.test(source)) {
      const file = join("dist", source.replace(/\.ts$/, ".js"));
      found.push({ source, file, exists: existsSync(join(folder, file)) });
    } else if (/\.test\.m?js$/.test(source)) found.push({ source, file: source, exists: true });
  }
  return found.sort((a, b) => (a.source < b.source ? -1 : 1));
}

/** @param {string} folder @returns {string[]} */
function walk(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : walk(path);
    return [path];
  });
}
